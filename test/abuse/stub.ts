/**
 * Takes the load of an attack when "quiet" is measured: it answers everything at once and does no work. So quiet and
 * attack differ in what the server does with the load, not in what the load itself takes from two cores.
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
