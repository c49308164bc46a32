'use strict';

const { openStore } = require('./store');
const { migrate } = require('./migrations');

const ran = migrate(openStore(), console.log);
if (ran.length === 0) console.log('nothing to migrate');
