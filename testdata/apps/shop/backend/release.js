'use strict';

const fs = require('node:fs');
const { version } = require('./package.json');

// release tells which code runs: the version, and the commit. Releases lie in a folder
// named after their commit; a checkout on a developer's machine has none.
function release() {
  const here = fs.realpathSync(__dirname);
  const match = /\/releases\/([0-9a-f]{7,40})(\/|$)/.exec(here);
  return { version, sha: process.env.RELEASE_SHA || (match ? match[1] : 'unreleased') };
}

module.exports = { release };
