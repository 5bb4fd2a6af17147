/** Starts listening; rejects with the cause if the server cannot. */
import { once } from 'node:events';
import type { AddressInfo, Server } from 'node:net';

/** Pending connections. With Node's default of 511, clients that reconnect all at once wait for the kernel's second and third SYN retry. */
const BACKLOG = 2_048;

export async function listen(server: Server, port: number, host: string): Promise<AddressInfo> {
  server.listen(port, host, BACKLOG);
  await once(server, 'listening');
  return server.address() as AddressInfo; // never a string: this server listens on TCP
}
