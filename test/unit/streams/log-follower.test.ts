/** The follower against a log in an array: notifications arrive late, twice, or not at all. */
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { type Entry, encodeId, MARK_LENGTH } from '../../../src/store/log/entry.ts';
import type { LogPart, Window } from '../../../src/store/log/log-reader.ts';
import { type EntryNotification, LogFollower } from '../../../src/streams/log-follower.ts';

const PLENTY = 256 * 1024;

function entryOf(seq: number, life: string, text = '', type: Entry['type'] = 'message'): Entry {
  const uuid = `01a20795-5cc3-7418-8c86-${life.padStart(4, '0')}${(seq * (life === '1' ? 1 : 17)).toString(16).padStart(8, '0')}`;
  const id = encodeId(uuid)!;
  const message = type === 'message' ? `{"id":"${uuid}","text":"${text}","seq":${seq}}` : '';
  return { seq, type, id, mark: id.slice(-MARK_LENGTH), origin: '-', from: 'alice', message };
}

function memoryLog() {
  let entries: Entry[] = [];
  let epoch = 'eeeeeee1';
  let life = '1';
  let reads = 0;
  let bytesRead = 0;
  return {
    bytesRead: () => bytesRead,
    append(text = '', type: Entry['type'] = 'message'): EntryNotification {
      const before = entries.at(-1)?.mark ?? '';
      const entry = entryOf(entries.length + 1, life, text, type);
      entries.push(entry);
      return { epoch, before, entry };
    },
    /** Like a crash that loses the last second: same epoch, a shorter log, and other messages after it. */
    loseTail(count: number): void {
      entries = entries.slice(0, Math.max(0, entries.length - count));
      life = '2';
    },
    flush(): void {
      entries = [];
      epoch = 'eeeeeee2';
    },
    /** How often it was read. */
    reads: () => reads,
    async read({
      after,
      before = Number.POSITIVE_INFINITY,
      count,
      maxBytes = PLENTY,
      minEntries = 1,
    }: Window) {
      reads += 1;
      await Promise.resolve();
      const last = entries.at(-1);
      const end = last ? { epoch, seq: last.seq, mark: last.mark } : { epoch: '', seq: 0, mark: '' };
      const stop = Math.min(entries.length, before - 1);
      const some =
        after === undefined
          ? entries.slice(Math.max(0, stop - count), stop)
          : entries.slice(after, Math.min(after + count, stop));
      const sizes = some.map(({ message }) => message.length);
      if (after === undefined) sizes.reverse();
      let [fit, bytes] = [0, 0];
      while (fit < some.length && (fit < minEntries || bytes + sizes[fit]! <= maxBytes))
        bytes += sizes[fit++]!;
      bytesRead += bytes;
      const part = after === undefined ? some.slice(some.length - fit) : some.slice(0, fit);
      return { first: 1, end, entries: part } satisfies LogPart;
    },
  };
}

function follow(log: ReturnType<typeof memoryLog>, keep = 0) {
  const seen: number[] = [];
  const jumps: number[] = [];
  const counts = { skipped: 0 };
  const owner = {
    fetch: log.read,
    logGrew: () => {},
    entrySkipped: () => {
      counts.skipped += 1;
    },
    logJumped: () => jumps.push(follower.end.seq),
  };
  const follower: LogFollower = new LogFollower('broadcast', owner, keep);
  const take = () => {
    for (const { seq } of follower.take()) seen.push(seq);
  };
  return { follower, seen, jumps, counts, take };
}

const upTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1);

test('every entry is taken once and in order, whichever notifications are lost, late or duplicated', async () => {
  const fate = fc.constantFrom('received', 'lost', 'late', 'twice');
  await fc.assert(
    fc.asyncProperty(fc.array(fate, { maxLength: 40 }), async (fates) => {
      const log = memoryLog();
      const { follower, seen, jumps, take } = follow(log);
      await follower.open();
      const late: EntryNotification[] = [];
      for (const each of fates) {
        const notification = log.append();
        if (each === 'received' || each === 'twice') follower.receive(notification);
        if (each === 'twice') follower.receive(notification);
        if (each === 'late') late.push(notification);
        if (notification.entry.seq % 3 === 0) await Promise.resolve();
        if (notification.entry.seq % 5 === 0) take();
      }
      for (const notification of late) follower.receive(notification);
      await follower.refresh();
      take();
      expect(seen).toEqual(upTo(fates.length));
      expect(jumps).toEqual([]);
    }),
  );
});

test('notifications during opening are neither lost nor taken twice', async () => {
  for (const before of [0, 1, 3]) {
    for (const during of [1, 2]) {
      const log = memoryLog();
      const { follower, seen, take } = follow(log);
      for (let n = 0; n < before; n += 1) log.append();
      const early = log.append(); // written before the log is read, notified during the read
      const opening = follower.open();
      follower.receive(early);
      await opening;
      for (let n = 0; n < during; n += 1) {
        follower.receive(log.append());
      }
      await follower.refresh();
      take();
      expect(seen).toEqual(upTo(before + 1 + during).slice(before + 1));
    }
  }
});

test('the next entry in order costs no read, nor does a duplicate', async () => {
  const log = memoryLog();
  const { follower, seen, take } = follow(log);
  await follower.open();
  for (let n = 0; n < 10; n += 1) {
    const notification = log.append();
    follower.receive(notification);
    follower.receive(notification);
  }
  take();
  expect(seen).toEqual(upTo(10));
  expect(log.reads()).toBe(1);
});

test('a log that lost its newest entries and grew past the old end is detected, and the follower jumps', async () => {
  const log = memoryLog();
  const { follower, seen, jumps, take } = follow(log);
  await follower.open();
  for (let n = 0; n < 5; n += 1) {
    follower.receive(log.append());
  }
  take();
  log.loseTail(2);
  for (let n = 0; n < 4; n += 1) log.append(); // 4', 5', 6', 7', without a notification
  const { end } = await log.read({ count: 0 });
  await follower.compare(end);
  take();
  expect(jumps).toEqual([7]);
  expect(seen).toEqual(upTo(5));
});

// Redis crashed under `everysec` and came back without entry 5. Before this node had subscribed again another 5 was
// appended; then the node was notified of 6, which follows 5, took it, and never detected that its 5 was not the log's.
test('a log that lost its newest entries is detected by the next notification, which names the previous entry', async () => {
  for (const regrown of [0, 1]) {
    const log = memoryLog();
    const { follower, seen, jumps, take } = follow(log);
    await follower.open();
    for (let n = 0; n < 5; n += 1) follower.receive(log.append());
    take();
    log.loseTail(1);
    if (regrown) log.append(); // another 5, published while nobody was subscribed
    follower.receive(log.append());
    await expect.poll(() => jumps).toEqual([5 + regrown]);
    take();
    expect(seen).toEqual(upTo(5));
  }
});

test('a flushed and restarted log is detected by the next notification', async () => {
  const log = memoryLog();
  const { follower, seen, jumps, take } = follow(log);
  await follower.open();
  for (let n = 0; n < 3; n += 1) {
    follower.receive(log.append());
  }
  take();
  log.flush();
  let last = log.append();
  while (last.entry.seq < 4) last = log.append(); // 4 follows 3, but it is another log's
  follower.receive(last);
  await expect.poll(() => jumps).toContain(4);
  take();
  expect(seen).toEqual(upTo(3));
});

test('the newest entries are returned from memory, older ones from the log', async () => {
  const log = memoryLog();
  const { follower, take } = follow(log, 4);
  await follower.open();
  for (let n = 0; n < 20; n += 1) {
    follower.receive(log.append());
    take();
  }
  const before = log.reads();
  expect((await follower.readFrom(18, 10, PLENTY, 'bob')).entries.map(({ seq }) => seq)).toEqual([
    18, 19, 20,
  ]);
  expect(log.reads() - before).toBe(0);
  expect((await follower.readFrom(2, 3, PLENTY, 'bob')).entries.map(({ seq }) => seq)).toEqual([2, 3, 4]);
  expect(log.reads() - before).toBe(1);
});

test('many streams that reconnect to a node with empty memory cost one read and miss nothing', async () => {
  const log = memoryLog();
  for (let n = 0; n < 20; n += 1) log.append();
  const { follower, take } = follow(log, 10);
  await follower.open();
  const crowd = Array.from({ length: 50 }, (_, n) => follower.readFrom(1 + (n % 20), 100, PLENTY, 'bob'));
  follower.receive(log.append());
  take(); // while the read is under way
  for (const [n, { entries }] of (await Promise.all(crowd)).entries())
    expect(entries.map(({ seq }) => seq)).toEqual(upTo(21).slice(n % 20));
  expect(log.reads()).toBe(1 + 1);
});

// With nothing to fill, the fill ended immediately and was then recorded as permanently running.
test('a stream that reconnects to an empty log does not block later reads from memory', async () => {
  const log = memoryLog();
  const { follower, take } = follow(log, 10);
  await follower.open();
  follower.receive(log.append());
  take();
  await follower.readFrom(0, 100, PLENTY, 'bob'); // from the start of the log: there is nothing before what is in memory
  log.flush();
  for (let n = 0; n < 3; n += 1) log.append();
  await follower.refresh(); // a new log: what was in memory is forgotten
  follower.receive(log.append());
  take();
  const before = log.reads();
  for (let n = 0; n < 10; n += 1) await follower.readFrom(2, 100, PLENTY, 'bob');
  expect(log.reads() - before).toBe(1);
});

test('a position that another node learned of earlier is looked up before it is treated as unknown', async () => {
  const log = memoryLog();
  const { follower } = follow(log);
  await follower.open();
  log.append();
  log.append();
  const part = await follower.readFrom(2, 1, PLENTY, 'bob');
  expect(part.end.seq).toBe(2);
  expect(part.entries[0]?.seq).toBe(2);
});

describe('the memory of a follower is bounded in bytes', () => {
  const LONG = 'x'.repeat(16_000);
  const MAX_BYTES = 8 * 1024 * 1024;

  test('a batch takes what fits, and the end moves past nothing else', async () => {
    const log = memoryLog();
    const { follower } = follow(log);
    await follower.open();
    for (const size of [100, 100, 50_000, 100, 100]) follower.receive(log.append('x'.repeat(size)));
    const turns = [];
    while (follower.hasMore) {
      const taken = follower.take(1_000).map(({ seq }) => seq);
      turns.push(taken);
      expect(follower.end.seq).toBe(taken.at(-1));
      expect((await follower.readFrom(follower.end.seq, 100, PLENTY, 'bob')).entries.at(-1)!.seq).toBe(
        follower.end.seq,
      );
    }
    expect(turns).toEqual([[1, 2], [3], [4, 5]]);
    expect(follower.take(1_000)).toEqual([]);
  });

  test('pending notifications do not accumulate, and none is missed', async () => {
    const log = memoryLog();
    const { follower, seen, jumps, take } = follow(log);
    await follower.open();
    for (let n = 0; n < 2_000; n += 1) follower.receive(log.append(LONG)); // 32 MB
    let pendingBytes = 0;
    for (const { block } of follower.take()) pendingBytes += block.length;
    expect(pendingBytes).toBeLessThan(MAX_BYTES + 100_000);
    for (const { seq } of follower.take()) seen.push(seq);
    seen.push(...upTo(follower.end.seq));
    await vi.waitFor(() => {
      take();
      expect(seen.length).toBe(2_000);
    });
    expect(seen).toEqual(upTo(2_000));
    follower.receive(log.append()); // and it continues
    await vi.waitFor(() => {
      take();
      expect(seen.at(-1)).toBe(2_001);
    });
    expect(jumps).toEqual([]);
  });

  test('a follower that is far behind reads no more than its memory limit at once', async () => {
    const log = memoryLog();
    const { follower, seen, take } = follow(log);
    await follower.open();
    for (let n = 0; n < 2_000; n += 1) log.append(LONG); // without a notification
    await follower.refresh();
    expect(log.bytesRead()).toBeLessThan(1.1 * MAX_BYTES + PLENTY);
    await vi.waitFor(() => {
      take();
      expect(seen.length).toBe(2_000);
    });
    expect(seen).toEqual(upTo(2_000));
  });

  test('the newest delivered entries that fit are retained', async () => {
    const log = memoryLog();
    const { follower, take } = follow(log, 1_000);
    await follower.open();
    for (let n = 0; n < 2_000; n += 1) {
      follower.receive(log.append(LONG));
      take();
    }
    const before = log.reads();
    await follower.readFrom(2_000 - Math.floor(MAX_BYTES / 16_200), 10, PLENTY, 'bob');
    expect(log.reads() - before, 'from memory').toBe(0);
    await follower.readFrom(2_000 - Math.ceil((1.5 * MAX_BYTES) / 16_000) - 1, 10, PLENTY, 'bob');
    expect(log.reads() - before, 'from the log').toBe(1);
  });

  test('reads for many reconnecting streams are bounded by the memory limit', async () => {
    const log = memoryLog();
    for (let n = 0; n < 2_000; n += 1) log.append(LONG);
    const { follower } = follow(log, 1_000);
    await follower.open();
    await Promise.all(Array.from({ length: 20 }, () => follower.readFrom(1_990, 100, PLENTY, 'bob')));
    expect(log.bytesRead()).toBeLessThan(MAX_BYTES + 2 * PLENTY);
    const before = log.reads();
    await follower.readFrom(1_700, 100, PLENTY, 'bob');
    expect(log.reads() - before, 'from memory').toBe(0);
    for (let n = 0; n < 5; n += 1) await follower.readFrom(5, 3, PLENTY, 'bob');
    expect(log.bytesRead(), 'too old: read by itself').toBeLessThan(MAX_BYTES + 3 * PLENTY);
  });
});

test('entries evicted before the follower read them become one gap for live streams, in order', async () => {
  const entries = [1, 2, 3, 4].map((seq) =>
    entryOf(seq, '1', '', seq === 2 || seq === 3 ? 'tombstone' : 'message'),
  );
  const end = { epoch: 'eeeeeee1', seq: 4, mark: entries.at(-1)!.mark };
  let isEmpty = true;
  const fetch = async ({ after = 0, count }: Window): Promise<LogPart> =>
    isEmpty
      ? { first: 1, end: { epoch: '', seq: 0, mark: '' }, entries: [] }
      : { first: 1, end, entries: entries.slice(after, after + count) };
  const follower = new LogFollower('dm', {
    fetch,
    logGrew: () => {},
    entrySkipped: () => {},
    logJumped: () => {},
  });
  await follower.open();
  isEmpty = false;
  await follower.refresh();
  const taken = follower
    .take()
    .map(({ seq, block }) => [seq, /event: (\w+)/.exec(String(block))![1], String(block)]);
  expect(taken.map(([seq, kind]) => [seq, kind])).toEqual([
    [1, 'dm'],
    [3, 'gap'],
    [4, 'dm'],
  ]);
  expect(taken[1]![2]).toContain('"from":2,"to":3');
  expect(follower.end).toEqual(end);
});

test('an entry of an unknown type is skipped, notified or read: the position moves and nothing is delivered', async () => {
  for (const isNotified of [true, false]) {
    const log = memoryLog();
    const { follower, seen, jumps, counts, take } = follow(log, 10);
    await follower.open();
    for (const type of ['message', 'unknown', 'unknown', 'message', 'unknown'] as const) {
      const notification = log.append('', type);
      if (isNotified) follower.receive(notification);
    }
    await follower.refresh();
    take();
    expect(seen).toEqual([1, 4]);
    expect(follower.end).toMatchObject({ seq: 5, mark: entryOf(5, '1').mark });
    expect(jumps).toEqual([]);
    expect(counts.skipped).toBe(3);
    expect(follower.hasMore).toBe(false);
  }
});
