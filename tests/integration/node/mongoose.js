// node mongoose.js URI DATABASE: what an application does with Mongoose.
'use strict';

const assert = require('node:assert/strict');
const mongoose = require('mongoose');
const { run } = require('./steps.js');

const [uri, name] = process.argv.slice(2);

const film = new mongoose.Schema({
  title: { type: String, required: true },
  year: Number,
  genres: { type: [String], index: true },
  imdb: { rating: Number, votes: Number },
  director: { type: mongoose.Schema.Types.ObjectId, ref: 'Director' },
}, { timestamps: true });
const Film = mongoose.model('Film', film);
const Director = mongoose.model('Director', new mongoose.Schema({ name: String }));

const steps = {
  async 'a document is saved, found by id and changed'() {
    await Film.init();
    const director = await Director.create({ name: 'Frank Darabont' });
    const made = await Film.create({ title: 'The Shawshank Redemption', year: 1994, genres: ['Drama'], director, imdb: { rating: 9.2, votes: 1 } });
    for (let i = 0; i < 2; i++) assert.equal((await Film.findById(made._id)).title, made.title);
    made.imdb.votes = 2;
    await made.save();
    assert.equal((await Film.findById(made._id).lean()).imdb.votes, 2);
    await Film.findByIdAndUpdate(made._id, { $inc: { 'imdb.votes': 1 } });
    assert.equal((await Film.findById(made._id)).imdb.votes, 3);
    assert.equal((await Film.findById(made._id).populate('director')).director.name, 'Frank Darabont');
  },

  async 'the best of a genre are listed'() {
    await Film.insertMany(Array.from({ length: 30 }, (_, i) => ({ title: `Film ${i}`, genres: ['Comedy'], imdb: { rating: i / 3 } })));
    const best = () => Film.find({ genres: 'Comedy' }).sort({ 'imdb.rating': -1 }).limit(3).select('title').lean();
    for (let i = 0; i < 2; i++) assert.deepEqual((await best()).map((f) => f.title), ['Film 29', 'Film 28', 'Film 27']);
    await Film.updateOne({ title: 'Film 0' }, { 'imdb.rating': 10 });
    assert.deepEqual((await best()).map((f) => f.title), ['Film 0', 'Film 29', 'Film 28']);
    await Film.deleteMany({ title: /^Film 2/ });
    assert.deepEqual((await best()).map((f) => f.title), ['Film 0', 'Film 19', 'Film 18']);
  },

  async 'a transaction is seen as a whole'() {
    const made = await Film.create({ title: 'Heat' });
    assert.equal((await Film.findById(made._id)).year, undefined);
    await mongoose.connection.transaction(async (session) => {
      const inside = await Film.findById(made._id).session(session);
      inside.year = 1995;
      await inside.save({ session });
    });
    assert.equal((await Film.findById(made._id)).year, 1995);
  },

  async 'a cursor streams'() {
    let count = 0;
    for await (const one of Film.find().cursor({ batchSize: 3 })) count += one.title ? 1 : 0;
    assert.equal(count, await Film.countDocuments());
  },

  async 'a bad document is refused by the schema'() {
    await assert.rejects(Film.create({ year: 1 }), /title/);
  },
};

async function main() {
  await mongoose.connect(uri, { dbName: name, serverSelectionTimeoutMS: 5000 });
  try {
    await run(steps, {});
  } finally {
    await mongoose.connection.dropDatabase();
    await mongoose.disconnect();
  }
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
