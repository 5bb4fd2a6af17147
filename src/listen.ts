/** A server that listens; or the reason why it cannot, as an error. */
import { once } from 'node:events';
import type { AddressInfo, Server } from 'node:net';

export async function listen(server: Server, port: number, host: string): Promise<AddressInfo> {
  server.listen(port, host);
  await once(server, 'listening');
  return server.address() as AddressInfo; // it listens on TCP
}
