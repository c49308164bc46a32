'use strict';

const http = require('node:http');
const path = require('node:path');
const sirv = require('sirv');

const port = Number(process.env.PORT || 3000);
const host = process.env.HOST || '0.0.0.0';
const backend = new URL(process.env.BACKEND_URL || 'http://127.0.0.1:3001');
const files = sirv(path.join(__dirname, 'dist'), { maxAge: 31536000, immutable: true, setHeaders: noCacheForPages });

// Only files with a hash in their name may be kept by browsers.
function noCacheForPages(res, name) {
  if (!name.startsWith('/assets/')) res.setHeader('Cache-Control', 'no-cache');
}

function proxy(req, res) {
  const out = http.request(new URL(req.url, backend), { method: req.method, headers: { ...req.headers, host: backend.host } }, (answer) => {
    res.writeHead(answer.statusCode, answer.headers);
    answer.pipe(res);
  });
  out.on('error', (err) => {
    if (res.headersSent) return res.destroy();
    res.writeHead(502, { 'Content-Type': 'application/json' });
    return res.end(JSON.stringify({ error: `the backend does not answer: ${err.code}` }));
  });
  req.pipe(out);
}

const server = http.createServer((req, res) => {
  if (req.url.startsWith('/api/') || req.url === '/healthz') return proxy(req, res);
  return files(req, res, () => {
    res.writeHead(404, { 'Content-Type': 'text/plain' });
    res.end('not found\n');
  });
});
server.listen(port, host, () => console.log(`shop frontend listens on ${host}:${port}`));

for (const signal of ['SIGTERM', 'SIGINT']) {
  process.on(signal, () => {
    server.close(() => process.exit(0));
    server.closeIdleConnections();
    setTimeout(() => process.exit(1), Number(process.env.DRAIN_MS || 10000)).unref();
  });
}
