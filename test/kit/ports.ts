/** Ports for servers that cannot choose one by themselves. */
import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below the ports that the system itself hands out, which any connection may take before the port is used. */
const [LOWEST, COUNT] = [10_000, 22_000];

export async function freePort(): Promise<number> {
  for (;;) {
    const port = LOWEST + Math.floor(Math.random() * COUNT);
    const server = createServer().listen(port, '127.0.0.1');
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false, // somebody listens there
    );
    if (!isFree) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
}
