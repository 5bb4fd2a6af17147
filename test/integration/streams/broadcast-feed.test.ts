/** A node subscribes to the broadcasts while it has a stream. */
import { expect, test, vi } from 'vitest';
import { directChannel } from '../../../src/store/channels.ts';
import { START } from '../../../src/store/log/entry.ts';
import type { LogPart } from '../../../src/store/log/log-reader.ts';
import type { LogStore } from '../../../src/store/log/log-store.ts';
import { StoreUnavailable } from '../../../src/store/redis/client.ts';
import { BroadcastFeed } from '../../../src/streams/broadcast-feed.ts';
import { until } from '../../kit/app.ts';
import { testHub } from '../../kit/hub.ts';
import { account, draft, testStore } from '../../kit/store.ts';

test('a node is subscribed to broadcasts from its first stream to its last, and each stream gets what it missed', async () => {
  const { store, logs, open } = await testHub();
  const { everyone } = store.keys.channels;
  const subscribers = async () => (await store.commands.pubsub('SHARDNUMSUB', everyone))[1];
  const say = (text: string) => logs.broadcast(draft('carol', text));
  expect(await subscribers()).toBe(0);
  await say('nobody is here');
  for (let round = 1; round <= 3; round += 1) {
    const [first, second] = await Promise.all([open('alice'), open('bob')]);
    expect(await subscribers()).toBe(1);
    await say(`to both ${round}`);
    await until('both have it', () => {
      for (const each of [first, second]) each.drain();
      return [first, second].every(({ taken }) => taken.includes(`to both ${round}`));
    });
    first.destroy();
    await say(`to one ${round}`);
    await until('the one has it', () => {
      second.drain();
      return second.taken.includes(`to one ${round}`);
    });
    const texts = [...second.taken.matchAll(/"text":"(.*?)"/g)].map(([, text]) => text);
    expect(texts).toEqual([`to both ${round}`, `to one ${round}`]);
    second.destroy();
    await until('the node unsubscribes', async () => (await subscribers()) === 0);
    await say('nobody is here');
  }
});

// The read finished after the node had lost its last stream, and continued in the follower of later streams.
test('a pending read of an ended stream does not affect later streams', async () => {
  const { store, logs, open } = await testHub();
  await account(store, 'alice', 'bob');
  await logs.direct(directChannel('bob', 'alice'), draft('bob', 'hello'));
  const say = (text: string) => logs.broadcast(draft('bob', text));
  for (const text of ['1', '2']) await say(text);
  const bob = await open('bob');
  await say('3');
  await until('bob has it', () => {
    bob.drain();
    return bob.taken.includes('"text":"3"');
  });
  const id = /^id: (.+)$/m.exec(bob.taken.slice(bob.taken.indexOf('"text":"3"')))?.[1];
  bob.destroy();

  const { read } = logs;
  let release: () => void = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  let isReading = false;
  const spy = vi.spyOn(logs, 'read').mockImplementation(async (log, ...rest) => {
    if (log.list === store.keys.inbox('alice').list && rest[0].count > 0) {
      isReading = true;
      await released;
    }
    return read(log, ...rest);
  });
  const alice = await open('alice');
  await until('it reads', () => {
    alice.drain();
    return isReading;
  });
  alice.destroy();
  release();
  spy.mockRestore();
  await until('that read is over', async () => (await store.commands.ping()) === 'PONG');
  for (const text of ['4', '5', '6']) await say(text);
  const late = await open('bob', 'off', id);
  await until('he has all', () => {
    late.drain();
    return late.taken.includes('"text":"6"');
  });
  expect([...late.taken.matchAll(/"text":"(\d)"/g)].map(([, text]) => text)).toEqual(['4', '5', '6']);
});

/** The commands sent to Redis, in order; the test answers the reads. */
async function byHand() {
  const calls: string[] = [];
  const reads: { answer: (part: LogPart) => void; fail: () => void }[] = [];
  const store = await testStore();
  const broadcasts = new BroadcastFeed({
    store,
    pubsub: {
      subscribe: async () => void calls.push('subscribe'),
      unsubscribe: () => void calls.push('unsubscribe'),
    } as never,
    logs: {
      read: () => {
        calls.push('read');
        return new Promise<LogPart>((answer, reject) => {
          reads.push({ answer, fail: () => reject(new StoreUnavailable('away')) });
        });
      },
    } as unknown as LogStore,
    replayLimit: 10,
    logGrew: () => {},
    logJumped: () => {},
    reportError: () => {},
  });
  const part = (seq: number): LogPart => {
    const head = seq === 0 ? START : { epoch: 'e', seq, mark: 'm' };
    return { first: 1, end: head, entries: [] };
  };
  return { broadcasts, calls, reads, part };
}

test('concurrent callers share one opening, which subscribes first and reads second', async () => {
  const { broadcasts, calls, reads, part } = await byHand();
  const all = [broadcasts.open(), broadcasts.open()];
  await vi.waitFor(() => expect(reads).toHaveLength(1));
  reads[0]!.answer(part(7));
  await Promise.all([...all, broadcasts.open()]);
  expect(calls).toEqual(['subscribe', 'read']);
  expect(broadcasts.follower.end.seq).toBe(7);
});

test('a failed opening is reported to all waiting callers, and the next call tries again', async () => {
  const { broadcasts, reads, part } = await byHand();
  const all = [broadcasts.open(), broadcasts.open()];
  await vi.waitFor(() => expect(reads).toHaveLength(1));
  reads[0]!.fail();
  for (const each of all) await expect(each).rejects.toThrow(StoreUnavailable);
  const again = broadcasts.open();
  await vi.waitFor(() => expect(reads).toHaveLength(2));
  reads[1]!.answer(part(7));
  await again;
  expect(broadcasts.follower.end.seq).toBe(7);
});

test('an abandoned opening does not disturb the next one', async () => {
  const { broadcasts, calls, reads, part } = await byHand();
  const abandoned = broadcasts.open();
  await vi.waitFor(() => expect(reads).toHaveLength(1));
  broadcasts.close();
  const next = broadcasts.open();
  await vi.waitFor(() => expect(reads).toHaveLength(2));
  reads[1]!.answer(part(8));
  await next;
  reads[0]!.fail();
  await expect(abandoned).rejects.toThrow(StoreUnavailable);
  await broadcasts.open(); // it is open, and stays so
  expect(broadcasts.follower.end.seq).toBe(8);
  expect(calls).toEqual(['subscribe', 'read', 'unsubscribe', 'subscribe', 'read']);
});
