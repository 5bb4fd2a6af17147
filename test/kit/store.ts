/** The store alone, under its own key prefix. */
import { randomUUID } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import { inject, onTestFinished } from 'vitest';
import { type Draft, encodeId } from '../../src/store/log/entry.ts';
import { createLogStore, type Retention } from '../../src/store/log/log-store.ts';
import { openStore, type Store } from '../../src/store/redis/client.ts';

export async function testStore(prefix = `test-${randomUUID().slice(0, 8)}:`): Promise<Store> {
  const store = await openStore({
    url: inject('redisUrl'),
    prefix,
    newRealm: 'realm',
    log: { info: () => {}, warn: () => {} },
    ephemeral: true,
  });
  onTestFinished(() => store.close());
  return store;
}

const PLENTY: Retention = {
  ...{ broadcasts: 1_000, history: 1_000, inbox: 1_000 },
  ...{ broadcastBytes: 2 ** 26, historyBytes: 2 ** 25, inboxBytes: 2 ** 24, accountBytes: 2 ** 26 },
};
let epochs = 0;

export function testLogs(store: Store, retention: Partial<Retention> = {}, max = 0) {
  return createLogStore(store, {
    retention: { ...PLENTY, ...retention },
    sendLimit: { max, windowMs: 60_000 },
    newEpoch: () => {
      epochs += 1;
      return String(epochs).padStart(8, 'e');
    },
  });
}

/** A message as `chat` would draft it. */
export function draft(from: string, text: string, options: { key?: string; sid?: string } = {}): Draft {
  const { key = '-', sid = 'session' } = options;
  return { id: encodeId(uuidv7())!, from, origin: sid, key, json: JSON.stringify({ text }) };
}

/** An account with the fields that the scripts read. */
export async function account(store: Store, ...usernames: string[]): Promise<void> {
  for (const username of usernames)
    await store.commands.hset(store.keys.account(username), { passwordHash: 'x' });
}

/** Disconnect the subscribers of this prefix only. */
export const cutSubscribers = (store: Store, prefix: string) => cut(store, `${prefix}subscriber`);
export const cutCommands = (store: Store, prefix: string) => cut(store, `${prefix}commands`);

async function cut(store: Store, connectionName: string): Promise<void> {
  const list = String(await store.commands.client('LIST'));
  const found = list.split('\n').filter((line) => line.includes(` name=${connectionName} `));
  for (const line of found)
    await store.commands.client('KILL', 'ID', Number(/id=(\d+)/.exec(line)?.[1])).catch(() => {});
}
