'use strict';

const { Hono } = require('hono');
const { logger } = require('hono/logger');
const { pending } = require('./migrations');
const { release } = require('./release');

// createApp is the API over a store; state.draining makes it unhealthy before it stops.
function createApp(store, state) {
  const app = new Hono();
  if (process.env.LOG_LEVEL === 'debug') app.use(logger());

  app.get('/healthz', (c) => {
    const waiting = pending(store);
    const healthy = waiting.length === 0 && !state.draining;
    return c.json({ status: healthy ? 'ok' : 'unavailable', pending: waiting, draining: state.draining, ...release() }, healthy ? 200 : 503);
  });

  app.get('/api/version', (c) => c.json({ service: 'backend', greeting: process.env.GREETING || 'Welcome', ...release() }));

  // What is set, never what it is set to.
  app.get('/api/config', (c) => c.json({ logLevel: process.env.LOG_LEVEL || 'info', apiKey: Boolean(process.env.API_KEY) }));

  app.get('/api/products', (c) => c.json(store.read('products', [])));

  app.post('/api/products/:id/order', (c) => {
    const products = store.read('products', []);
    const product = products.find((p) => p.id === Number(c.req.param('id')));
    if (!product) return c.json({ error: 'no such product' }, 404);
    if (product.stock < 1) return c.json({ error: 'out of stock' }, 409);
    product.stock -= 1;
    store.write('products', products);
    return c.json(product, 201);
  });

  // A request that takes its time, to see that a deploy does not cut it off.
  app.get('/api/slow', async (c) => {
    const ms = Math.min(Math.max(Number(c.req.query('ms')) || 0, 0), 30000);
    await new Promise((resolve) => { setTimeout(resolve, ms); });
    return c.json({ waited: ms, ...release() });
  });

  return app;
}

module.exports = { createApp };
