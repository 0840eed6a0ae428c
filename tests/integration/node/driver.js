// node driver.js URI DATABASE: what an application does with the MongoDB driver.
'use strict';

const assert = require('node:assert/strict');
const { MongoClient, ObjectId, GridFSBucket, Long, Decimal128 } = require('mongodb');
const { run } = require('./steps.js');

const [uri, name] = process.argv.slice(2);

const steps = {
  async 'documents by id are written, read and changed'({ things }) {
    for (const id of [1, 'text', new ObjectId(), Long.fromString('1099511627776'), { a: 1, b: 2 }]) {
      assert.equal(await things.findOne({ _id: id }), null);
      await things.insertOne({ _id: id, n: 1 });
      for (let i = 0; i < 2; i++) assert.equal((await things.findOne({ _id: id })).n, 1);
      await things.updateOne({ _id: id }, { $inc: { n: 1 } });
      assert.equal((await things.findOne({ _id: id })).n, 2);
      await things.deleteOne({ _id: id });
      assert.equal(await things.findOne({ _id: id }), null);
    }
  },

  async 'a cursor walks its batches over the pool'({ database }) {
    const many = database.collection('many');
    await many.insertMany(Array.from({ length: 300 }, (_, i) => ({ _id: i, group: i % 3 })));
    const walks = Array.from({ length: 10 }, () => many.find({}, { batchSize: 7, sort: { _id: 1 } }).toArray());
    for (const found of await Promise.all(walks)) {
      assert.deepEqual(found.map((d) => d._id), Array.from({ length: 300 }, (_, i) => i));
    }
    const top = await many.find({ group: 1 }).sort({ _id: -1 }).limit(3).project({ _id: 1 }).toArray();
    assert.deepEqual(top, [{ _id: 298 }, { _id: 295 }, { _id: 292 }]);
  },

  async 'a transaction commits, another aborts'({ client, database }) {
    const accounts = database.collection('accounts');
    await accounts.insertMany([{ _id: 'a', sum: 10 }, { _id: 'b', sum: 0 }]);
    assert.equal((await accounts.findOne({ _id: 'a' })).sum, 10);
    await client.withSession((session) =>
      session.withTransaction(async () => {
        await accounts.updateOne({ _id: 'a' }, { $inc: { sum: -4 } }, { session });
        await accounts.updateOne({ _id: 'b' }, { $inc: { sum: 4 } }, { session });
      }));
    assert.equal((await accounts.findOne({ _id: 'a' })).sum, 6);
    assert.equal((await accounts.findOne({ _id: 'b' })).sum, 4);
    const failure = client.withSession((session) =>
      session.withTransaction(async () => {
        await accounts.deleteMany({}, { session });
        throw new Error('changed my mind');
      }));
    await assert.rejects(failure, /changed my mind/);
    assert.equal(await accounts.countDocuments(), 2);
  },

  async 'a change stream tells of an insert'({ things }) {
    await things.insertOne({ _id: 'before' });
    const stream = things.watch([], { maxAwaitTimeMS: 200 });
    const next = stream.next();
    const writes = setInterval(() => things.insertOne({ seen: true }).catch(() => {}), 50);
    try {
      assert.equal((await next).operationType, 'insert');
    } finally {
      clearInterval(writes);
      await stream.close();
    }
  },

  async 'a bulk write reports what it did'({ database }) {
    const bulk = database.collection('bulk');
    const result = await bulk.bulkWrite([
      { insertOne: { document: { _id: 1 } } },
      { updateOne: { filter: { _id: 1 }, update: { $set: { price: Decimal128.fromString('1.10') } } } },
      { updateOne: { filter: { _id: 2 }, update: { $set: { a: 1 } }, upsert: true } },
    ]);
    assert.equal(result.insertedCount, 1);
    assert.equal(result.upsertedCount, 1);
    assert.equal((await bulk.findOne({ _id: 1 })).price.toString(), '1.10');
    await assert.rejects(bulk.insertOne({ _id: 1 }), { code: 11000 });
  },

  async 'a file of 5 MB goes through GridFS'({ database }) {
    const bucket = new GridFSBucket(database);
    const content = Buffer.alloc(5_000_000, 'mongocached');
    const upload = bucket.openUploadStream('file');
    await new Promise((done, failed) => upload.on('finish', done).on('error', failed).end(content));
    const chunks = [];
    for await (const chunk of bucket.openDownloadStream(upload.id)) chunks.push(chunk);
    assert.ok(Buffer.concat(chunks).equals(content));
  },
};

async function main() {
  const client = await MongoClient.connect(uri, { serverSelectionTimeoutMS: 5000 });
  const database = client.db(name);
  try {
    await run(steps, { client, database, things: database.collection('things') });
  } finally {
    await database.dropDatabase();
    await client.close();
  }
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
