'use strict';

const fs = require('node:fs');
const path = require('node:path');

// A store is a folder of JSON files. Each write replaces a file whole, so that a reader
// (or a crash) never meets half of one.
class Store {
  constructor(dir) {
    this.dir = dir;
  }

  file(name) {
    return path.join(this.dir, `${name}.json`);
  }

  read(name, fallback) {
    try {
      return JSON.parse(fs.readFileSync(this.file(name), 'utf8'));
    } catch (err) {
      if (err.code === 'ENOENT') return fallback;
      throw err;
    }
  }

  write(name, value) {
    fs.mkdirSync(this.dir, { recursive: true });
    const temporary = `${this.file(name)}.${process.pid}`;
    fs.writeFileSync(temporary, `${JSON.stringify(value, null, 2)}\n`);
    fs.renameSync(temporary, this.file(name));
  }
}

function openStore() {
  return new Store(process.env.DATA_DIR || '/srv/app/data');
}

module.exports = { Store, openStore };
