/**
 * Receives the attacker's load while the "quiet" baseline is measured; it responds immediately and does no work. So the
 * two measurements differ only in how the server handles the load, not in the CPU that generating it takes.
 */
import { createServer } from 'node:http';

const server = createServer((req, res) => {
  req.resume().on('error', () => {});
  if (req.url?.startsWith('/v1/events')) {
    res.writeHead(200, { 'Content-Type': 'text/event-stream' }).write('event: ready\ndata: {}\n\n');
    return;
  }
  req.on('end', () => res.writeHead(429, { 'Content-Type': 'application/json' }).end('{}'));
});
server.on('clientError', (_error, socket) => socket.destroy());
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.stdout.write(`listens on ${typeof address === 'object' ? address?.port : ''}\n`);
});
