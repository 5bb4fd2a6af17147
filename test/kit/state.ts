/** All that a Parley remembers, as one value: to show that something changed nothing. */
import type { Store } from '../../src/store/redis/client.ts';
import { testStore } from './store.ts';

type Memory = Record<string, unknown>;

/** The heartbeats of nodes and the counters of limits are left out: they count time and attempts. */
export async function everything({ prefix }: { prefix: string }): Promise<Memory> {
  const { commands, keys } = await testStore(prefix);
  const names = await commands.keys(`${prefix}*`);
  const kept = names.filter(
    (name) => name !== keys.heartbeats && !/^(\{...\}:)?limit:/.test(name.slice(prefix.length)),
  );
  const values = kept.sort().map(async (name) => [name, await value(commands, name)] as const);
  return Object.fromEntries(await Promise.all(values));
}

async function value(commands: Store['commands'], name: string): Promise<unknown> {
  const type = await commands.type(name);
  if (type === 'hash') return commands.hgetall(name);
  if (type === 'list') return commands.lrange(name, 0, -1);
  throw new Error(`${name} is a ${type}: nothing but hashes and lists belongs to Parley`);
}
