/**
 * Sends many commands to Redis like `redis-cli --pipe`: pipelined, and replies are only counted. Writes a million rows in
 * seconds. Only for commands with a one-line reply that cannot fail.
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import type { RedisServer } from './servers.ts';

const CHUNK_LENGTH = 256 * 1024;
const NEWLINE = 10;

export async function mass(redis: RedisServer, commands: Iterable<string[]>): Promise<void> {
  const { hostname, port } = new URL(redis.url);
  const socket = connect({ host: hostname, port: Number(port) });
  let [sent, replies] = [0, 0];
  socket.on('data', (chunk: Buffer) => {
    if (chunk[0] === '-'.charCodeAt(0)) throw new Error(`Redis: ${chunk.toString('utf8', 0, 200)}`);
    for (const byte of chunk) if (byte === NEWLINE) replies += 1;
  });
  let text = '';
  const flush = async () => {
    if (!socket.write(text)) await once(socket, 'drain');
    text = '';
  };
  for (const words of commands) {
    text += `*${words.length}\r\n`;
    for (const word of words) text += `$${Buffer.byteLength(word)}\r\n${word}\r\n`;
    sent += 1;
    if (text.length > CHUNK_LENGTH) await flush();
  }
  await flush();
  while (replies < sent) await once(socket, 'data');
  socket.destroy();
}
