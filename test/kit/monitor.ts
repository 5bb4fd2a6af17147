/** What Redis does with the keys of a prefix: every command, also those that scripts call. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { onTestFinished } from 'vitest';
import type { Store } from '../../src/store/redis/client.ts';

/** By hand: ioredis' monitor fails when commands come in the same moment as its own answer. */
export async function watchCommands(store: Store, prefix: string) {
  const { path, port = 6379, host = '127.0.0.1' } = store.commands.options;
  const socket = path ? connect(path) : connect(port, host);
  onTestFinished(() => void socket.destroy());
  let seen: string[][] = [];
  const lines = createInterface({ input: socket }).on('line', (line) => {
    if (!line.includes(prefix)) return;
    seen.push([...line.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, arg]) => arg!));
  });
  socket.write('MONITOR\r\n');
  await once(lines, 'line');
  return {
    /** The commands since then; waits until Redis has reported all of them. */
    async during(work: () => Promise<unknown>): Promise<string[][]> {
      const end = `${prefix}the end`;
      seen = [];
      await work();
      await store.commands.get(end);
      while (!seen.some(([, key]) => key === end)) await new Promise((go) => setTimeout(go, 5));
      return seen.filter(([, key]) => key !== end);
    },
  };
}

/** How many entries of lists were looked at. */
export function entriesLookedAt(commands: string[][]): number {
  let count = 0;
  for (const [name = '', , from, to] of commands) {
    if (/^lindex$/i.test(name)) count += 1;
    if (/^lrange$/i.test(name)) count += Number(to) - Number(from) + 1;
  }
  return count;
}
