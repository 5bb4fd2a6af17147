/** The replay alone, over logs in arrays that can fail. */
import { describe, expect, test } from 'vitest';
import { type Entry, encodeId, MARK_LENGTH, type Position, START } from '../../../src/store/log/entry.ts';
import type { LogPart } from '../../../src/store/log/log-reader.ts';
import { StoreUnavailable } from '../../../src/store/redis/client.ts';
import { LogFollower } from '../../../src/streams/log-follower.ts';
import { Replay } from '../../../src/streams/replay.ts';

function log(epoch: string, count: number, text = '', typeAt = (_seq: number): Entry['type'] => 'message') {
  const markAt = (seq: number) => (seq === 0 ? '' : entryAt(seq).mark);
  const entryAt = (seq: number): Entry => {
    const id = encodeId(`01a20795-5cc3-7418-8c86-0000${String(seq).padStart(8, '0')}`)!;
    const type = typeAt(seq);
    const message = type === 'message' ? JSON.stringify({ n: `${epoch}${seq}`, text }) : '';
    return { seq, type, id, mark: id.slice(-MARK_LENGTH), origin: '-', from: 'alice', message };
  };
  const entries = Array.from({ length: count }, (_, index) => entryAt(index + 1));
  const state = { failing: false, bytesRead: 0, afterRead: () => {} };
  const follower: LogFollower = new LogFollower('dm', {
    fetch: async ({
      after = 0,
      count: most,
      maxBytes = Number.POSITIVE_INFINITY,
      minEntries = 1,
    }): Promise<LogPart> => {
      if (state.failing) throw new StoreUnavailable('away');
      const head = { epoch, seq: entries.length, mark: markAt(entries.length) };
      const some = entries.slice(after, after + most);
      let [fit, bytes] = [0, 0];
      while (fit < some.length && (fit < minEntries || bytes + some[fit]!.message.length <= maxBytes))
        bytes += some[fit++]!.message.length;
      state.bytesRead += bytes;
      const part = { first: 1, end: head, entries: some.slice(0, fit), meta: {} };
      state.afterRead();
      return part;
    },
    logGrew: () => {},
    entrySkipped: () => {},
    logJumped: () => {},
  });
  /** Append one entry and deliver it to the live streams. */
  const append = () => {
    const entry = entryAt(entries.length + 1);
    entries.push(entry);
    follower.receive({ epoch, before: markAt(entry.seq - 1), entry });
    follower.take();
  };
  return { follower, state, append };
}

type Log = ReturnType<typeof log>;

/** A replay that starts at the beginning of the inbox, and at `from` in the broadcasts. */
async function openReplay({ inbox, broadcasts }: { inbox: Log; broadcasts: Log }, from: Position = START) {
  await inbox.follower.open();
  await broadcasts.follower.open();
  const source = {
    username: 'bob',
    followers: { inbox: inbox.follower, broadcasts: broadcasts.follower },
    replayLimit: 10_000,
    mailboxStart: async () => START,
  };
  return new Replay(source, { sid: 's', at: { inbox: START, broadcasts: from }, mailboxUntil: 0 });
}

test('an outage between the reads of the two logs does not skip what was read from the first', async () => {
  const [inbox, broadcasts] = [log('inboxlog', 3), log('broadlog', 3)];
  const replay = await openReplay({ inbox, broadcasts });
  broadcasts.state.failing = true;
  await expect(replay.next()).rejects.toBeInstanceOf(StoreUnavailable);
  broadcasts.state.failing = false;
  const batch = await replay.next();
  const text = Buffer.concat(batch.blocks).toString();
  for (const name of ['inboxlog1', 'inboxlog3', 'broadlog1', 'broadlog3']) expect(text).toContain(name);
  expect(batch.messages).toBe(6);
  expect(replay.isLevel()).toBe(true);
});

// Redis had lost its newest broadcasts, and more were sent while streams detected it. A stream read up to 3 and
// reported a gap up to 3; meanwhile the live streams got 4, and it joined them behind that: 4 never came.
test('the reported gap reaches the position where the stream continues', async () => {
  const [inbox, broadcasts] = [log('inboxlog', 0), log('broadlog', 3)];
  const replay = await openReplay({ inbox, broadcasts }, { epoch: 'lostlife', seq: 2, mark: 'AAAAAJ' });
  broadcasts.state.afterRead = () => {
    broadcasts.state.afterRead = () => {};
    broadcasts.append();
  };
  const [gap] = await replay.verify();
  expect(gap).toMatchObject({ log: 'broadcasts', reason: 'epoch', from: null });
  expect(replay.at.broadcasts.seq).toBe(gap!.to);
});

describe('a batch', () => {
  const KB = 1_024;

  async function behind(count: number, text: string) {
    const logs = { inbox: log('inboxlog', count, text), broadcasts: log('broadlog', count, text) };
    const replay = await openReplay(logs);
    return { ...logs, replay };
  }

  // 64 entries were read for each 64 KB that were written: opening streams made Redis send 13 times what was delivered.
  test.each([100, 3_000, 16_000])(
    'reads about as much as it returns, with messages of %i bytes',
    async (size) => {
      const { inbox, broadcasts, replay } = await behind(400, 'x'.repeat(size));
      let [bytes, messages] = [0, 0];
      while (!replay.isLevel()) {
        const batch = await replay.next();
        expect(batch.bytes).toBeLessThanOrEqual(64 * KB);
        bytes += batch.bytes;
        messages += batch.messages;
      }
      expect(messages).toBe(800);
      expect(inbox.state.bytesRead + broadcasts.state.bytesRead).toBeLessThan(2 * bytes);
    },
  );

  test.each([0, 5_000, 20_000, 40_000])('fits into %i bytes of room, or is one message', async (room) => {
    const { replay } = await behind(20, 'x'.repeat(16_000));
    const texts = [];
    while (!replay.isLevel()) {
      const batch = await replay.next(room);
      if (batch.messages > 1) expect(batch.bytes).toBeLessThanOrEqual(room);
      expect(batch.messages).toBeGreaterThan(0);
      texts.push(...batch.blocks.map((block) => /"n":"(\w+)"/.exec(block.toString())![1]));
    }
    for (const name of ['inboxlog', 'broadlog'])
      expect(texts.filter((text) => text!.startsWith(name))).toEqual(
        Array.from({ length: 20 }, (_, n) => `${name}${n + 1}`),
      );
  });
});

test('entries of an unknown type are skipped: the position moves, and nothing is written', async () => {
  const typeAt = (seq: number) => (seq === 2 ? ('message' as const) : ('unknown' as const));
  const [inbox, broadcasts] = [log('inboxlog', 3, '', typeAt), log('broadlog', 3, '', () => 'unknown')];
  const replay = await openReplay({ inbox, broadcasts });
  expect(await replay.verify()).toEqual([]);
  const batch = await replay.next();
  expect(batch).toMatchObject({ messages: 1, gaps: 0 });
  expect(Buffer.concat(batch.blocks).toString()).toContain('"n":"inboxlog2"');
  expect(replay.isLevel()).toBe(true);
  expect(replay.at).toEqual({ inbox: inbox.follower.end, broadcasts: broadcasts.follower.end });
});
