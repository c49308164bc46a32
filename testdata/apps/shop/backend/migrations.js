'use strict';

const fs = require('node:fs');
const path = require('node:path');

const folder = path.join(__dirname, 'migrations');

function names() {
  return fs.readdirSync(folder).filter((f) => f.endsWith('.js')).sort();
}

function pending(store) {
  const done = store.read('migrations', []);
  return names().filter((name) => !done.includes(name));
}

// migrate runs what did not run yet, and notes each one as soon as it is done, so that
// a second run does nothing and a failed one goes on where it stopped.
function migrate(store, log) {
  const waiting = pending(store);
  for (const name of waiting) {
    require(path.join(folder, name)).up(store);
    store.write('migrations', [...store.read('migrations', []), name]);
    log(`migrated ${name}`);
  }
  return waiting;
}

module.exports = { migrate, pending };
