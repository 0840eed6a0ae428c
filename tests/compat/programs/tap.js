// How the Node programs tell what their steps found: TAP, one line a step.
'use strict';

async function step(name, body) {
  try {
    await body();
    console.log(`ok - ${name}`);
  } catch (error) {
    console.log(`not ok - ${name} # ${`${error.name}: ${error.message}`.replace(/\s+/g, ' ')}`.slice(0, 500));
  }
}

// Asks until it is so: the server may still be at it.
async function until(condition) {
  for (let i = 0; i < 200; i++) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error('never came true');
}

module.exports = { step, until };
