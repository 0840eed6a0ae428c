// The steps with the Node driver: node_steps.js URI DATABASE TOPOLOGY.
'use strict';

const assert = require('node:assert/strict');
const { MongoClient, GridFSBucket } = require('mongodb');
const { storeAndLoad } = require('./gridfs.js');
const { step, until } = require('./tap.js');

const [uri, name, topology] = process.argv.slice(2);

async function failOnce(client, command) {
  const data = { failCommands: [command], closeConnection: true };
  await client.db('admin').command({ configureFailPoint: 'failCommand', mode: { times: 1 }, data });
}

async function firstChange(things, options, write) {
  const stream = things.watch([], { maxAwaitTimeMS: 500, ...options });
  try {
    await stream.tryNext(); // it is opened only now
    await write();
    return await stream.next();
  } finally {
    await stream.close();
  }
}

async function main() {
  const client = new MongoClient(uri, { monitorCommands: true, serverSelectionTimeoutMS: 10000 });
  const begun = new Map();
  const done = new Map();
  const seen = new Set();
  client.on('commandStarted', (event) => begun.set(event.requestId, event.commandName));
  client.on('commandSucceeded', (event) => done.set(event.requestId, event.commandName));
  client.on('topologyDescriptionChanged', (event) => seen.add(event.newDescription.type));
  const database = client.db(name);
  const things = database.collection('things');
  await database.dropDatabase();

  await step('crud', async () => {
    await things.insertOne({ _id: 1, n: 1 });
    for (let i = 0; i < 3; i++) assert.deepEqual(await things.findOne({ _id: 1 }), { _id: 1, n: 1 });
    await things.updateOne({ _id: 1 }, { $inc: { n: 1 } });
    assert.deepEqual(await things.findOne({ _id: 1 }), { _id: 1, n: 2 });
    const changed = await things.findOneAndUpdate({ _id: 1 }, { $set: { n: 9 } }, { returnDocument: 'after' });
    assert.deepEqual(changed, { _id: 1, n: 9 });
    await things.replaceOne({ _id: 1 }, { n: 10 });
    assert.deepEqual(await things.findOne({ _id: 1 }), { _id: 1, n: 10 });
    assert.equal((await things.deleteOne({ _id: 1 })).deletedCount, 1);
    assert.equal(await things.findOne({ _id: 1 }), null);
  });
  await step('bulk', async () => {
    await things.insertMany(Array.from({ length: 500 }, (_, i) => ({ _id: i, n: i % 10 })));
    const result = await things.bulkWrite([
      { insertOne: { document: { _id: 'b' } } },
      { updateMany: { filter: { n: 3 }, update: { $set: { three: true } } } },
      { deleteOne: { filter: { _id: 499 } } },
      { replaceOne: { filter: { _id: 'new' }, replacement: { n: -1 }, upsert: true } },
    ]);
    assert.deepEqual([result.insertedCount, result.modifiedCount, result.deletedCount], [1, 50, 1]);
    assert.deepEqual(result.upsertedIds, { 3: 'new' });
  });
  await step('duplicate key', () => assert.rejects(things.insertOne({ _id: 1 }), { code: 11000 }));
  await step('cursor batches', async () => {
    const found = await things.find({ n: { $gte: 0 } }, { batchSize: 7, sort: { _id: 1 } }).toArray();
    assert.deepEqual(found.map((d) => d._id), Array.from({ length: 499 }, (_, i) => i));
  });
  await step('cursor killed', async () => {
    const cursor = things.find({}, { batchSize: 5 });
    await cursor.next();
    const killed = await database.command({ killCursors: 'things', cursors: [cursor.id] });
    assert.equal(killed.cursorsKilled.length, 1);
    await assert.rejects(cursor.toArray(), { code: 43 });
  });
  await step('count distinct aggregate', async () => {
    assert.equal(await things.countDocuments({ n: 4 }), 50);
    assert.equal((await things.distinct('n', { n: { $gte: 0 } })).length, 10);
    const sums = [{ $match: { n: { $gt: 7 } } }, { $group: { _id: '$n', c: { $sum: 1 } } }, { $sort: { _id: 1 } }];
    assert.deepEqual(await things.aggregate(sums).toArray(), [{ _id: 8, c: 50 }, { _id: 9, c: 49 }]);
  });
  await step('indexes', async () => {
    const made = await things.createIndex({ n: 1 });
    assert.ok((await things.indexes()).some((index) => index.name === made));
    assert.ok((await database.listCollections().toArray()).some((one) => one.name === 'things'));
    await things.dropIndex(made);
  });
  await step('session reads its writes', () =>
    client.withSession({ causalConsistency: true }, async (session) => {
      await things.insertOne({ _id: 'causal' }, { session });
      assert.ok(await things.findOne({ _id: 'causal' }, { session }));
      assert.ok(session.operationTime && session.clusterTime);
    }));
  await step('transaction commits', () =>
    client.withSession(async (session) => {
      session.startTransaction();
      await things.insertOne({ _id: 'tx' }, { session });
      assert.ok(await things.findOne({ _id: 'tx' }, { session }));
      assert.equal(await things.findOne({ _id: 'tx' }), null);
      await session.commitTransaction();
      assert.ok(await things.findOne({ _id: 'tx' }));
    }));
  await step('transaction aborts', () =>
    client.withSession(async (session) => {
      session.startTransaction();
      await things.deleteOne({ _id: 'tx' }, { session });
      await session.abortTransaction();
      assert.ok(await things.findOne({ _id: 'tx' }));
    }));
  await step('change stream', async () => {
    const change = await firstChange(things, {}, () => things.insertOne({ _id: 'watched' }));
    assert.deepEqual(change.documentKey, { _id: 'watched' });
  });
  await step('change stream resumes', async () => {
    const write = () => things.insertMany([{ _id: 'first' }, { _id: 'second' }]);
    const { _id: token } = await firstChange(things, {}, write);
    const stream = things.watch([], { resumeAfter: token, maxAwaitTimeMS: 500 });
    try {
      assert.deepEqual((await stream.next()).documentKey, { _id: 'second' });
    } finally {
      await stream.close();
    }
  });
  await step('gridfs', async () => {
    await storeAndLoad(new GridFSBucket(database, { chunkSizeBytes: 50_000 }));
  });
  await step('retryable read', async () => {
    await failOnce(client, 'distinct'); // no cache answers it, and no proxy repeats it
    assert.deepEqual(await things.distinct('n', { n: 5 }), [5]);
    assert.deepEqual([...begun.values()].slice(-2), ['distinct', 'distinct']);
  });
  await step('retryable write', async () => {
    await failOnce(client, 'insert');
    await things.insertOne({ _id: 'retried' });
    assert.equal(await things.countDocuments({ _id: 'retried' }), 1);
  });
  await step('unacknowledged write', async () => {
    await things.insertOne({ _id: 'silent' }, { writeConcern: { w: 0 } });
    await until(() => things.findOne({ _id: 'silent' }));
  });
  await step('command monitoring', async () => {
    await things.findOne({ _id: 1 });
    const names = new Set(done.values());
    for (const one of ['find', 'insert', 'getMore', 'commitTransaction']) assert.ok(names.has(one), one);
    for (const [id, command] of done) assert.equal(begun.get(id), command);
  });
  await step('topology monitoring', () => assert.ok(seen.has(topology), `${[...seen]} without ${topology}`));
  await database.dropDatabase();
  await client.close();
}

main().catch((error) => {
  console.log(`not ok - program # ${error.stack.replace(/\s+/g, ' ')}`);
  process.exitCode = 1;
});
