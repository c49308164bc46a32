'use strict';

// The first goods of the shop.
exports.up = (store) => {
  store.write('products', [
    { id: 1, name: 'Tea pot', stock: 4 },
    { id: 2, name: 'Coffee mill', stock: 2 },
    { id: 3, name: 'Bread board', stock: 9 },
  ]);
};
