// The steps with Mongoose, as far as it has something of its own to say: mongoose_steps.js URI DATABASE TOPOLOGY.
'use strict';

const assert = require('node:assert/strict');
const mongoose = require('mongoose');
const { storeAndLoad } = require('./gridfs.js');
const { step, until } = require('./tap.js');

const [uri, name, topology] = process.argv.slice(2);

async function failOnce(connection, command) {
  const data = { failCommands: [command], closeConnection: true };
  await connection.db.admin().command({ configureFailPoint: 'failCommand', mode: { times: 1 }, data });
}

async function main() {
  const seen = new Set();
  const connection = mongoose.createConnection(uri, {
    dbName: name, monitorCommands: true, serverSelectionTimeoutMS: 10000,
  });
  await connection.asPromise();
  const begun = [];
  const done = new Set();
  connection.getClient().on('commandStarted', (event) => begun.push(event.commandName));
  connection.getClient().on('commandSucceeded', (event) => done.add(event.commandName));
  seen.add(connection.getClient().topology.description.type);
  const schema = new mongoose.Schema({ _id: mongoose.Schema.Types.Mixed, n: Number }, { versionKey: false });
  const Thing = connection.model('Thing', schema, 'things');
  await Thing.init(); // one after the other: SecantusDB can hang if several collections are made at a time
  const Note = connection.model('Note', new mongoose.Schema({ text: String, thing: { type: Number, ref: 'Thing' } }));
  await Note.init();
  await connection.dropDatabase();
  const plain = (id) => Thing.findById(id).lean();

  await step('crud', async () => {
    await Thing.create({ _id: 1, n: 1 });
    for (let i = 0; i < 3; i++) assert.deepEqual(await plain(1), { _id: 1, n: 1 });
    await Thing.updateOne({ _id: 1 }, { $inc: { n: 1 } });
    assert.deepEqual(await plain(1), { _id: 1, n: 2 });
    const loaded = await Thing.findById(1);
    loaded.n = 9;
    await loaded.save();
    assert.deepEqual(await plain(1), { _id: 1, n: 9 });
    const note = await Note.create({ text: 'about', thing: 1 });
    assert.equal((await Note.findById(note._id).populate('thing')).thing.n, 9);
    await Thing.deleteOne({ _id: 1 });
    assert.equal(await plain(1), null);
  });
  await step('bulk', async () => {
    await Thing.insertMany(Array.from({ length: 500 }, (_, i) => ({ _id: i, n: i % 10 })));
    const result = await Thing.bulkWrite([
      { insertOne: { document: { _id: 'b' } } },
      { updateMany: { filter: { n: 3 }, update: { $set: { n: 33 } } } },
      { deleteOne: { filter: { _id: 499 } } },
    ]);
    assert.deepEqual([result.insertedCount, result.modifiedCount, result.deletedCount], [1, 50, 1]);
  });
  await step('duplicate key', () => assert.rejects(Thing.create({ _id: 1 }), { code: 11000 }));
  await step('cursor batches', async () => {
    const found = [];
    for await (const one of Thing.find({ n: { $gte: 0 } }).sort({ _id: 1 }).batchSize(7).cursor()) found.push(one._id);
    assert.deepEqual(found, Array.from({ length: 499 }, (_, i) => i));
  });
  await step('cursor killed', async () => {
    const cursor = Thing.find().batchSize(5).cursor();
    await cursor.next();
    const { id } = cursor.cursor;
    await cursor.close();
    const getMore = connection.db.command({ getMore: id, collection: 'things' });
    await assert.rejects(getMore, { code: 43 });
  });
  await step('count distinct aggregate', async () => {
    assert.equal(await Thing.countDocuments({ n: 4 }), 50);
    assert.equal((await Thing.distinct('n', { n: { $gte: 0 } })).length, 10);
    const grouped = await Thing.aggregate([{ $match: { n: 8 } }, { $group: { _id: '$n', c: { $sum: 1 } } }]);
    assert.deepEqual(grouped, [{ _id: 8, c: 50 }]);
  });
  await step('indexes', async () => {
    Thing.schema.index({ n: 1 });
    await Thing.syncIndexes();
    assert.ok((await Thing.listIndexes()).some((index) => index.key.n === 1));
  });
  await step('session reads its writes', async () => {
    const session = await connection.startSession({ causalConsistency: true });
    await Thing.create([{ _id: 'causal' }], { session });
    assert.ok(await Thing.findById('causal').session(session));
    assert.ok(session.operationTime && session.clusterTime);
    await session.endSession();
  });
  await step('transaction commits', async () => {
    await connection.transaction(async (session) => {
      await Thing.create([{ _id: 'tx' }], { session });
      assert.equal(await plain('tx'), null);
    });
    assert.ok(await plain('tx'));
  });
  await step('transaction aborts', async () => {
    const changedMind = connection.transaction(async (session) => {
      await Thing.deleteOne({ _id: 'tx' }, { session });
      throw new Error('changed my mind');
    });
    await assert.rejects(changedMind, /changed my mind/);
    assert.ok(await plain('tx'));
  });
  await step('change stream', async () => {
    const stream = Thing.watch([], { maxAwaitTimeMS: 500 });
    await new Promise((resolve) => stream.once('ready', resolve));
    const told = new Promise((resolve, reject) => stream.once('change', resolve).once('error', reject));
    try {
      let count = 0;
      let change;
      told.then((one) => { change = one; });
      await until(async () => change || !(await Thing.create({ _id: `watched ${count++}` })));
      assert.equal(change.operationType, 'insert');
    } finally {
      await stream.close();
    }
  });
  await step('change stream resumes', async () => {
    const token = await new Promise((resolve, reject) => {
      const stream = Thing.watch([], { maxAwaitTimeMS: 500 });
      stream.once('error', reject).once('ready', () => Thing.insertMany([{ _id: 'first' }, { _id: 'second' }]));
      stream.once('change', (change) => stream.close().then(() => resolve(change._id), reject));
    });
    const stream = Thing.watch([], { resumeAfter: token, maxAwaitTimeMS: 500 });
    try {
      assert.equal((await stream.next()).documentKey._id, 'second');
    } finally {
      await stream.close();
    }
  });
  await step('gridfs', async () => {
    await storeAndLoad(new mongoose.mongo.GridFSBucket(connection.db, { chunkSizeBytes: 50_000 }));
  });
  await step('retryable read', async () => {
    const before = begun.length;
    await failOnce(connection, 'distinct'); // no cache answers it, and no proxy repeats it
    assert.deepEqual(await Thing.distinct('n', { n: 5 }), [5]);
    assert.equal(begun.slice(before).filter((one) => one === 'distinct').length, 2);
  });
  await step('retryable write', async () => {
    await failOnce(connection, 'insert');
    await Thing.create({ _id: 'retried' });
    assert.equal(await Thing.countDocuments({ _id: 'retried' }), 1);
  });
  await step('unacknowledged write', async () => {
    await Thing.insertMany([{ _id: 'silent' }], { writeConcern: { w: 0 } });
    await until(() => plain('silent'));
  });
  await step('command monitoring', () => {
    for (const one of ['find', 'insert', 'getMore', 'commitTransaction']) assert.ok(done.has(one), one);
  });
  await step('topology monitoring', () => assert.ok(seen.has(topology), `${[...seen]} without ${topology}`));
  await connection.dropDatabase();
  await connection.close();
}

main().catch((error) => {
  console.log(`not ok - program # ${error.stack.replace(/\s+/g, ' ')}`);
  process.exitCode = 1;
});
