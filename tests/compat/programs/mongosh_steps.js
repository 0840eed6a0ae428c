// The steps in mongosh, as far as it can take them: mongosh URI --file mongosh_steps.js, with DATABASE and TOPOLOGY
// in the environment.
'use strict';

const assert = require('node:assert/strict');
const name = process.env.DATABASE;
const database = db.getSiblingDB(name);
const things = database.things;
const ids = (cursor) => cursor.toArray().map((one) => one._id);

function step(what, body) {
  try {
    body();
    print(`ok - ${what}`);
  } catch (error) {
    print(`not ok - ${what} # ${`${error.name}: ${error.message}`.replace(/\s+/g, ' ')}`.slice(0, 500));
  }
}

function failOnce(command) {
  const data = { failCommands: [command], closeConnection: true };
  db.adminCommand({ configureFailPoint: 'failCommand', mode: { times: 1 }, data });
}

function told(stream) {
  for (let i = 0; i < 20; i++) {
    const change = stream.tryNext();
    if (change) return change;
  }
  throw new Error('no change is told');
}

database.dropDatabase();
step('crud', () => {
  things.insertOne({ _id: 1, n: 1 });
  for (let i = 0; i < 3; i++) assert.equal(things.findOne({ _id: 1 }).n, 1);
  things.updateOne({ _id: 1 }, { $inc: { n: 1 } });
  assert.equal(things.findOne({ _id: 1 }).n, 2);
  assert.equal(things.findOneAndUpdate({ _id: 1 }, { $set: { n: 9 } }, { returnDocument: 'after' }).n, 9);
  things.replaceOne({ _id: 1 }, { n: 10 });
  assert.equal(things.findOne({ _id: 1 }).n, 10);
  assert.equal(things.deleteOne({ _id: 1 }).deletedCount, 1);
  assert.equal(things.findOne({ _id: 1 }), null);
});
step('bulk', () => {
  things.insertMany(Array.from({ length: 500 }, (_, i) => ({ _id: i, n: i % 10 })));
  const result = things.bulkWrite([
    { insertOne: { document: { _id: 'b' } } },
    { updateMany: { filter: { n: 3 }, update: { $set: { three: true } } } },
    { deleteOne: { filter: { _id: 499 } } },
  ]);
  assert.deepEqual([result.insertedCount, result.modifiedCount, result.deletedCount], [1, 50, 1]);
});
step('duplicate key', () => {
  try {
    things.insertOne({ _id: 1 });
  } catch (error) {
    assert.equal(error.code, 11000);
    return;
  }
  throw new Error('no error');
});
step('cursor batches', () => {
  const expected = Array.from({ length: 499 }, (_, i) => i);
  // The shell's arrays are not Node's.
  const found = ids(things.find({ n: { $gte: 0 } }).sort({ _id: 1 }).batchSize(7));
  assert.equal(JSON.stringify(found), JSON.stringify(expected));
});
step('cursor killed', () => {
  const { cursor } = database.runCommand({ find: 'things', batchSize: 5 });
  assert.equal(database.runCommand({ killCursors: 'things', cursors: [cursor.id] }).cursorsKilled.length, 1);
  try {
    database.runCommand({ getMore: cursor.id, collection: 'things' });
  } catch (error) {
    assert.equal(error.code, 43);
    return;
  }
  throw new Error('a killed cursor goes on');
});
step('count distinct aggregate', () => {
  assert.equal(things.countDocuments({ n: 4 }), 50);
  assert.equal(things.distinct('n', { n: { $gte: 0 } }).length, 10);
  assert.equal(things.aggregate([{ $match: { n: 8 } }, { $group: { _id: '$n', c: { $sum: 1 } } }]).next().c, 50);
});
step('indexes', () => {
  const made = things.createIndex({ n: 1 });
  assert.ok(things.getIndexes().some((index) => index.name === made));
  assert.ok(database.getCollectionNames().includes('things'));
  things.dropIndex(made);
});
step('session reads its writes', () => {
  const session = db.getMongo().startSession({ causalConsistency: true });
  const mine = session.getDatabase(name).things;
  mine.insertOne({ _id: 'causal' });
  assert.ok(mine.findOne({ _id: 'causal' }));
  session.endSession();
});
for (const end of ['commits', 'aborts']) {
  step(`transaction ${end}`, () => {
    const session = db.getMongo().startSession();
    const mine = session.getDatabase(name).things;
    session.startTransaction();
    mine.insertOne({ _id: end });
    assert.ok(mine.findOne({ _id: end }));
    assert.equal(things.findOne({ _id: end }), null);
    if (end === 'commits') session.commitTransaction();
    else session.abortTransaction();
    assert.equal(things.countDocuments({ _id: end }), end === 'commits' ? 1 : 0);
    session.endSession();
  });
}
step('change stream', () => {
  const stream = things.watch([], { maxAwaitTimeMS: 500 });
  stream.tryNext();
  things.insertOne({ _id: 'watched' });
  assert.equal(told(stream).documentKey._id, 'watched');
  stream.close();
});
step('change stream resumes', () => {
  let stream = things.watch([], { maxAwaitTimeMS: 500 });
  stream.tryNext(); // it is opened only now
  things.insertMany([{ _id: 'first' }, { _id: 'second' }]);
  const { _id: resumeAfter } = told(stream);
  stream.close();
  stream = things.watch([], { resumeAfter, maxAwaitTimeMS: 500 });
  assert.equal(told(stream).documentKey._id, 'second');
  stream.close();
});
step('retryable read', () => {
  failOnce('distinct'); // no cache answers it, and no proxy repeats it
  assert.equal(things.distinct('n', { n: 5 })[0], 5);
});
step('retryable write', () => {
  failOnce('insert');
  things.insertOne({ _id: 'retried' });
  assert.equal(things.countDocuments({ _id: 'retried' }), 1);
});
step('unacknowledged write', () => {
  things.insertOne({ _id: 'silent' }, { writeConcern: { w: 0 } });
  for (let i = 0; i < 200; i++) {
    if (things.findOne({ _id: 'silent' })) return;
    sleep(10);
  }
  throw new Error('never seen');
});
step('topology monitoring', () => {
  const seen = db.hello().msg === 'isdbgrid' ? 'Sharded' : 'ReplicaSetWithPrimary';
  assert.equal(seen, process.env.TOPOLOGY);
});
database.dropDatabase();
