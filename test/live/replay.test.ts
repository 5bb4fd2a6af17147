/** The replay alone, over logs that lie in arrays and can fail. */
import { expect, test } from 'vitest';
import { Replay } from '../../src/live/replay.ts';
import { Tail } from '../../src/live/tail.ts';
import { type LogPart, START } from '../../src/store/logs.ts';
import { StoreUnavailable } from '../../src/store/redis.ts';

function log(epoch: string, count: number) {
  const entries = Array.from({ length: count }, (_, index) => ({
    seq: index + 1,
    origin: '-',
    message: `{"id":"01a20795-5cc3-7418-8c86-0000${String(index + 1).padStart(8, '0')}","n":"${epoch}${index + 1}"}`,
  }));
  const head = { epoch, seq: count, mark: String(count).padStart(8, '0') };
  const state = { failing: false };
  const tail = new Tail({
    kind: 'dm',
    keep: 0,
    fetch: async ({ after = 0, count: most }): Promise<LogPart> => {
      if (state.failing) throw new StoreUnavailable('away');
      return { first: 1, head, entries: entries.slice(after, after + most), meta: {} };
    },
    onPending: () => {},
    onJump: () => {},
  });
  return { tail, state };
}

test('when Redis goes away between the two logs, nothing that was read from the first is passed over', async () => {
  const [inbox, broadcasts] = [log('inboxlog', 3), log('broadlog', 3)];
  await inbox.tail.open();
  await broadcasts.tail.open();
  const replay = new Replay({
    tails: { inbox: inbox.tail, broadcasts: broadcasts.tail },
    sid: 's',
    replayLimit: 100,
    at: { inbox: START, broadcasts: START },
    mailboxUntil: 0,
    mailboxStart: async () => START,
  });
  broadcasts.state.failing = true;
  await expect(replay.next()).rejects.toBeInstanceOf(StoreUnavailable);
  broadcasts.state.failing = false;
  const batch = await replay.next();
  const text = Buffer.concat(batch.blocks).toString();
  for (const name of ['inboxlog1', 'inboxlog3', 'broadlog1', 'broadlog3']) expect(text).toContain(name);
  expect(batch.messages).toBe(6);
  expect(replay.isLevel()).toBe(true);
});
