// What both programs of Node do with a bucket: a file of several chunks goes in and comes out, twice.
'use strict';
const assert = require('node:assert/strict');

async function storeAndLoad(bucket) {
  const content = Buffer.alloc(256_000, 'abcdefg');
  const upload = bucket.openUploadStream('file');
  await new Promise((resolve, reject) => upload.on('finish', resolve).on('error', reject).end(content));
  for (let i = 0; i < 2; i++) {
    const pieces = await bucket.openDownloadStream(upload.id).toArray();
    assert.ok(Buffer.concat(pieces).equals(content));
  }
  await bucket.delete(upload.id);
}

module.exports = { storeAndLoad };
