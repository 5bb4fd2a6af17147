/** A proxy that puts a server under a path, and changes nothing else: `location /chat/ { proxy_pass …/; }`. */
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

export async function underPath(url: string, path: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const server = http.createServer((req, res) => {
    if (!req.url?.startsWith(path)) return void res.writeHead(404).end('not here');
    const to = {
      hostname,
      port,
      method: req.method,
      path: `/${req.url.slice(path.length)}`,
      headers: req.headers,
    };
    const onward = http.request(to, (answer) => {
      res.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(res);
    });
    onward.on('error', () => res.destroy());
    res.on('close', () => onward.destroy());
    req.pipe(onward);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`;
}
