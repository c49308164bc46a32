'use strict';

// Builds dist/ from src/: assets get their content's hash into their name, so that they
// can be cached for ever, and the page names them.
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const mustache = require('mustache');
const { version } = require('./package.json');

const src = path.join(__dirname, 'src');
const dist = path.join(__dirname, 'dist');

fs.rmSync(dist, { recursive: true, force: true });
fs.mkdirSync(path.join(dist, 'assets'), { recursive: true });

function asset(name) {
  const content = fs.readFileSync(path.join(src, name));
  const hash = crypto.createHash('sha256').update(content).digest('hex').slice(0, 10);
  const { name: base, ext } = path.parse(name);
  const file = `assets/${base}-${hash}${ext}`;
  fs.writeFileSync(path.join(dist, file), content);
  return file;
}

const page = fs.readFileSync(path.join(src, 'index.html'), 'utf8');
const html = mustache.render(page, { version, script: asset('shop.js'), style: asset('shop.css') });
fs.writeFileSync(path.join(dist, 'index.html'), html);
console.log(`built ${path.relative(process.cwd(), dist) || dist}`);
