'use strict';

const { serve } = require('@hono/node-server');
const { createApp } = require('./app');
const { openStore } = require('./store');
const { release } = require('./release');

const port = Number(process.env.PORT || 3001);
const hostname = process.env.HOST || '0.0.0.0';
const state = { draining: false };
const app = createApp(openStore(), state);
const server = serve({ fetch: app.fetch, port, hostname }, () => {
  const { version, sha } = release();
  console.log(`shop backend ${version} (${sha}) listens on ${hostname}:${port}`);
});

// On SIGTERM: no new connection, finish what runs, then end; at most DRAIN_MS.
function drain(signal) {
  if (state.draining) return;
  state.draining = true;
  console.log(`${signal}: draining`);
  server.close(() => {
    console.log('drained');
    process.exit(0);
  });
  server.closeIdleConnections();
  setTimeout(() => {
    console.error('requests still ran at the end of the drain');
    process.exit(1);
  }, Number(process.env.DRAIN_MS || 10000)).unref();
}
process.on('SIGTERM', drain);
process.on('SIGINT', drain);
