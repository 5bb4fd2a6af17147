/** A server that listens; or the reason why it cannot, as an error. */
import { once } from 'node:events';
import type { AddressInfo, Server } from 'node:net';

/** Connections that wait to be accepted. With node's 511 a crowd that comes back waits for the kernel's second and third try. */
const BACKLOG = 2_048;

export async function listen(server: Server, port: number, host: string): Promise<AddressInfo> {
  server.listen(port, host, BACKLOG);
  await once(server, 'listening');
  return server.address() as AddressInfo; // it listens on TCP
}
