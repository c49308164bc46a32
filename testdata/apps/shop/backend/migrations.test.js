'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const test = require('node:test');
const { Store } = require('./store');
const { migrate, pending } = require('./migrations');

test('migrations run once, in order, and keep what changed since', () => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'shop-'));
  const store = new Store(dir);
  assert.deepStrictEqual(migrate(store, () => {}), ['001-products.js', '002-prices.js']);
  const products = store.read('products');
  assert.strictEqual(products[0].cents, 3400);
  products[0].stock = 1;
  store.write('products', products);
  assert.deepStrictEqual(migrate(store, () => {}), []);
  assert.strictEqual(store.read('products')[0].stock, 1);
  assert.deepStrictEqual(pending(store), []);
  fs.rmSync(dir, { recursive: true });
});
