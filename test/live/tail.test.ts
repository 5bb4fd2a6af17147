/** The tail against a log that lies in an array: wake-ups come late, twice, or not at all. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Tail, type WakeUp } from '../../src/live/tail.ts';
import type { Entry, LogPart, Window } from '../../src/store/logs.ts';

function idFor(seq: number, life: string): string {
  return `01a20795-5cc3-7418-8c86-${life.padStart(4, '0')}${seq.toString(16).padStart(8, '0')}`;
}

function memoryLog() {
  let entries: Entry[] = [];
  let epoch = 'eeeeeee1';
  let life = '1';
  let reads = 0;
  const markAt = (entry: Entry | undefined) => entry?.message.slice(35, 43) ?? '';
  return {
    append(): WakeUp {
      const before = markAt(entries.at(-1));
      const seq = entries.length + 1;
      const entry = {
        seq,
        origin: '-',
        message: `{"id":"${idFor(seq * (life === '1' ? 1 : 17), life)}","seq":${seq}}`,
      };
      entries.push(entry);
      return { epoch, before, entry };
    },
    /** What a crash without the last second does: the same life, a shorter log, and other messages after it. */
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
    async read({ after = 0, before = Number.POSITIVE_INFINITY, count }: Window): Promise<LogPart> {
      reads += 1;
      await Promise.resolve();
      const last = entries.at(-1);
      const head = last ? { epoch, seq: last.seq, mark: markAt(last) } : { epoch: '', seq: 0, mark: '' };
      return { first: 1, head, entries: entries.slice(after, Math.min(after + count, before - 1)), meta: {} };
    },
  };
}

function follow(log: ReturnType<typeof memoryLog>, keep = 0) {
  const seen: number[] = [];
  const jumps: number[] = [];
  const owner = {
    fetch: log.read,
    tailGrew: () => {},
    tailJumped: () => jumps.push(tail.frontier.seq),
  };
  const tail: Tail = new Tail('broadcast', owner, keep);
  const take = () => {
    for (const { seq } of tail.take()) seen.push(seq);
  };
  return { tail, seen, jumps, take };
}

const upTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1);

test('whichever wake-ups are lost, late or doubled, every entry is taken once and in order', async () => {
  const fate = fc.constantFrom('heard', 'lost', 'late', 'twice');
  await fc.assert(
    fc.asyncProperty(fc.array(fate, { maxLength: 40 }), async (fates) => {
      const log = memoryLog();
      const { tail, seen, jumps, take } = follow(log);
      await tail.open();
      const late: WakeUp[] = [];
      for (const each of fates) {
        const wakeUp = log.append();
        if (each === 'heard' || each === 'twice') tail.hear(wakeUp);
        if (each === 'twice') tail.hear(wakeUp);
        if (each === 'late') late.push(wakeUp);
        if (wakeUp.entry.seq % 3 === 0) await Promise.resolve();
        if (wakeUp.entry.seq % 5 === 0) take();
      }
      for (const wakeUp of late) tail.hear(wakeUp);
      await tail.refresh();
      take();
      expect(seen).toEqual(upTo(fates.length));
      expect(jumps).toEqual([]);
    }),
  );
});

test('what is heard while the tail opens is neither lost nor taken twice', async () => {
  for (const before of [0, 1, 3]) {
    for (const during of [1, 2]) {
      const log = memoryLog();
      const { tail, seen, take } = follow(log);
      for (let n = 0; n < before; n += 1) log.append();
      const early = log.append(); // written before the log is read, told while it is read
      const opening = tail.open();
      tail.hear(early);
      await opening;
      for (let n = 0; n < during; n += 1) {
        tail.hear(log.append());
      }
      await tail.refresh();
      take();
      expect(seen).toEqual(upTo(before + 1 + during).slice(before + 1));
    }
  }
});

test('the very next entry costs no read, nor does one that was heard before', async () => {
  const log = memoryLog();
  const { tail, seen, take } = follow(log);
  await tail.open();
  for (let n = 0; n < 10; n += 1) {
    const wakeUp = log.append();
    tail.hear(wakeUp);
    tail.hear(wakeUp);
  }
  take();
  expect(seen).toEqual(upTo(10));
  expect(log.reads()).toBe(1);
});

test('a log that lost its tail and grew again past the old end is noticed, and the tail jumps', async () => {
  const log = memoryLog();
  const { tail, seen, jumps, take } = follow(log);
  await tail.open();
  for (let n = 0; n < 5; n += 1) {
    tail.hear(log.append());
  }
  take();
  log.loseTail(2);
  for (let n = 0; n < 4; n += 1) log.append(); // 4', 5', 6', 7': nobody was told
  const { head } = await log.read({ count: 0 });
  await tail.compare(head);
  take();
  expect(jumps).toEqual([7]);
  expect(seen).toEqual(upTo(5));
});

// Redis crashed under `everysec` and came back without entry 5. Before this node was subscribed again another 5 was
// appended; then it heard of 6, which follows 5, took it, and never knew that its 5 was not the log's.
test('a log that lost its tail is noticed by the next wake-up, which names the entry before it', async () => {
  for (const regrown of [0, 1]) {
    const log = memoryLog();
    const { tail, seen, jumps, take } = follow(log);
    await tail.open();
    for (let n = 0; n < 5; n += 1) tail.hear(log.append());
    take();
    log.loseTail(1);
    if (regrown) log.append(); // another 5, told while nobody listened
    tail.hear(log.append());
    await expect.poll(() => jumps).toEqual([5 + regrown]);
    take();
    expect(seen).toEqual(upTo(5));
  }
});

test('a log that was flushed and began anew is noticed by the next wake-up', async () => {
  const log = memoryLog();
  const { tail, seen, jumps, take } = follow(log);
  await tail.open();
  for (let n = 0; n < 3; n += 1) {
    tail.hear(log.append());
  }
  take();
  log.flush();
  let last = log.append();
  while (last.entry.seq < 4) last = log.append(); // 4 follows 3, but it is another log's
  tail.hear(last);
  await expect.poll(() => jumps).toContain(4);
  take();
  expect(seen).toEqual(upTo(3));
});

test('the newest entries are given from memory, older ones from the log', async () => {
  const log = memoryLog();
  const { tail, take } = follow(log, 4);
  await tail.open();
  for (let n = 0; n < 20; n += 1) {
    tail.hear(log.append());
    take();
  }
  const before = log.reads();
  expect((await tail.from(18, 10)).entries.map(({ seq }) => seq)).toEqual([18, 19, 20]);
  expect(log.reads() - before).toBe(0);
  expect((await tail.from(2, 3)).entries.map(({ seq }) => seq)).toEqual([2, 3, 4]);
  expect(log.reads() - before).toBe(1);
});

test('a crowd that comes back to a node which remembers nothing costs one read, and misses nothing', async () => {
  const log = memoryLog();
  for (let n = 0; n < 20; n += 1) log.append();
  const { tail, take } = follow(log, 10);
  await tail.open();
  const crowd = Array.from({ length: 50 }, (_, n) => tail.from(1 + (n % 20), 100));
  tail.hear(log.append());
  take(); // while the read is under way
  for (const [n, { entries }] of (await Promise.all(crowd)).entries())
    expect(entries.map(({ seq }) => seq)).toEqual(upTo(21).slice(n % 20));
  expect(log.reads()).toBe(1 + 1);
});

// With nothing to fill, the fill was over at once, and was then kept as one that is under way: for good.
test('who comes back before there was anything keeps nobody later from the memory', async () => {
  const log = memoryLog();
  const { tail, take } = follow(log, 10);
  await tail.open();
  tail.hear(log.append());
  take();
  await tail.from(0, 100); // from the start of the log: there is nothing before what is in memory
  log.flush();
  for (let n = 0; n < 3; n += 1) log.append();
  await tail.refresh(); // a new log: what was in memory is forgotten
  tail.hear(log.append());
  take();
  const before = log.reads();
  for (let n = 0; n < 10; n += 1) await tail.from(2, 100);
  expect(log.reads() - before).toBe(1);
});

test('a position that another node was told of earlier is looked up before it is called the future', async () => {
  const log = memoryLog();
  const { tail } = follow(log);
  await tail.open();
  log.append();
  log.append();
  const part = await tail.from(2, 1);
  expect(part.head.seq).toBe(2);
  expect(part.entries[0]?.seq).toBe(2);
});
