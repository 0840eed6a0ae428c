// Runs named steps one after the other against a database of its own, and drops it.
'use strict';

async function run(steps, context) {
  for (const [name, step] of Object.entries(steps)) {
    try {
      await step(context);
    } catch (error) {
      console.error(`failed: ${name}`);
      throw error;
    }
    console.log(`passed: ${name}`);
  }
  console.log('all passed');
}

module.exports = { run };
