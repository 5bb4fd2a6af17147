/** After any history, the counters, the unread mail per sender and the evictions of an inbox are correct. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { inboxState } from '../../../src/store/inboxes.ts';
import { idOf, isTombstone, markOf, parseEntry } from '../../../src/store/log/entry.ts';
import type { Store } from '../../../src/store/redis/client.ts';
import { account, draft, testLogs, testStore } from '../../kit/store.ts';

const LIMIT = 6;
const BYTES = 4_000;
const OTHERS = ['x0', 'x1', 'x2'];

type Step =
  | { do: 'receive'; from: number; length: number }
  | { do: 'send'; to: number }
  | { do: 'ack'; back: number; by: 'id' | 'position' };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('receive' as const),
      from: fc.nat(2),
      length: fc.constantFrom(1, 1, 1, 900),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('send' as const), to: fc.nat(2) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('ack' as const),
      back: fc.nat(2 * LIMIT),
      by: fc.constantFrom('id', 'position'),
    }),
  },
);

/** The account writes to a stranger, whose latest message is evicted to make room. */
const BEFRIENDED_DURING_EVICTION = [
  { do: 'receive' as const, from: 1, length: 1 },
  { do: 'send' as const, to: 2 },
  ...[2, 0, 2, 2].map((from) => ({ do: 'receive' as const, from, length: 1 })),
  { do: 'send' as const, to: 1 },
];

/** Two senders each hold more than half of the inbox: one by bytes, and the other, the fuller one, by entries. */
const TWO_FILL_HALF = [
  ...[1, 1].map((from) => ({ do: 'receive' as const, from, length: 900 })),
  ...[0, 0, 0, 0, 0].map((from) => ({ do: 'receive' as const, from, length: 1 })),
];

type Waiting = { seq: number; id: string; from: string; size: number };

/** A hash of msgpack values, each as its parts separated by spaces. */
async function unpacked(store: Store, key: string): Promise<Record<string, string>> {
  const script = `local values = {}
    for i, value in ipairs(redis.call('HGETALL', KEYS[1])) do
      values[i] = value
      if i % 2 == 0 then
        local parts = { cmsgpack.unpack(value) }
        for n, part in ipairs(parts) do parts[n] = tostring(part) end
        values[i] = table.concat(parts, ' ')
      end
    end
    return values`;
  const flat = (await store.commands.eval(script, 1, key)) as string[];
  return Object.fromEntries(flat.flatMap((name, i) => (i % 2 ? [] : [[name, flat[i + 1]!]])));
}

/** All counters of an inbox, computed from every entry. */
async function scan(store: Store, me: string, friends: Set<string>) {
  const { list } = store.keys.inbox(me);
  const [raw, { meta: state }] = await Promise.all([
    store.commands.lrange(list, 0, -1),
    testLogs(store).read(store.keys.inbox(me), { count: 0 }),
  ]);
  const [first, acked] = [Number(state['first'] ?? 1), Number(state['acked'] ?? 0)];
  const entries = raw.map((each, index) => ({
    ...parseEntry(first + index, each),
    size: Buffer.byteLength(each),
  }));
  const waiting: Waiting[] = entries
    .filter(({ seq, origin }) => seq > acked && origin === '-')
    .map(({ seq, size, message }) => ({ seq, size, id: idOf(message), from: JSON.parse(message).from }));
  const mail: Record<string, string> = {};
  for (const { seq, origin } of entries) if (seq > acked && origin === '!') mail[seq] = '!';
  const senders: Record<string, string> = {};
  for (const name of new Set(waiting.map(({ from }) => from))) {
    const theirs = waiting.filter(({ from }) => from === name);
    for (const [n, { seq, size }] of theirs.entries())
      mail[seq] = `${size} ${theirs[n + 1]?.seq ?? 0} ${name}`;
    const last = theirs.at(-1)!;
    const isHeavy = fullness(theirs, name) >= 1 / 64;
    senders[name] = [
      ...[theirs.length, sum(theirs), theirs[0]!.seq, last.seq, last.size],
      ...[friends.has(name), isHeavy],
    ].join(' ');
  }
  const real = entries.filter((entry) => !isTombstone(entry));
  const strange = waiting.filter(({ from }) => !friends.has(from));
  const counters = {
    unread: waiting.length,
    bytes: sum(real),
    evicted: entries.length - real.length,
    strangers: strange.length,
    strangerBytes: sum(strange),
  };
  return { state, first, acked, entries, real, waiting, mail, senders, counters };
}

const sum = (entries: { size: number }[]) => entries.reduce((total, { size }) => total + size, 0);

/** The share of the inbox that a sender fills. */
function fullness(waiting: Waiting[], name: string): number {
  const theirs = waiting.filter(({ from }) => from === name);
  return Math.max(theirs.length / LIMIT, sum(theirs) / BYTES);
}

test('counters equal a full count of the inbox, and the right sender pays for evictions, after any history', async () => {
  const store = await testStore();
  const logs = testLogs(store, { inbox: LIMIT, inboxBytes: BYTES });
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      run += 1;
      const me = `me${run}`;
      const others = OTHERS.map((name) => `${name}-${run}`);
      await account(store, me, ...others);
      const { senders, mail, heavy, ids } = store.keys.inbox(me);
      const friends = new Set<string>();
      let missing = new Set<string>(); // received, not acknowledged, and gone
      for (const each of steps) {
        const before = await scan(store, me, friends);
        let from = me;
        if (each.do === 'ack') {
          const entry = before.entries.at(-1 - each.back);
          if (!entry) continue;
          const at = { epoch: before.state['epoch']!, seq: entry.seq, mark: markOf(entry.message) };
          expect(await logs.ack(me, 's', each.by === 'id' ? idOf(entry.message) : at)).toBeDefined();
        } else {
          from = each.do === 'send' ? me : others[each.from]!;
          const to = each.do === 'send' ? others[each.to]! : me;
          const text = 'x'.repeat(each.do === 'send' ? 1 : each.length);
          const { outcome } = await logs.direct(from, to, draft(from, text, { to }));
          if (each.do === 'send') friends.add(to);
          else if (outcome === 'mailbox_full') expect(friends).not.toContain(from);
        }
        const now = await scan(store, me, friends);
        expect(await unpacked(store, senders)).toEqual(now.senders);
        expect((await store.commands.hkeys(heavy)).sort()).toEqual(
          Object.keys(now.senders)
            .filter((name) => now.senders[name]!.endsWith(' true'))
            .sort(),
        );
        expect(await store.commands.hgetall(mail)).toEqual(now.mail);
        expect(await store.commands.hlen(ids)).toBe(now.entries.length);
        const { meta: stored } = await logs.read(store.keys.inbox(me), { count: 0 });
        for (const [name, count] of Object.entries(now.counters))
          expect([name, Number(stored[name] ?? 0)]).toEqual([name, count]);
        expect(await logs.unreadOf(me, [...others, 'nobody'])).toEqual(
          [...others, 'nobody'].map((name) => now.waiting.filter((each) => each.from === name).length),
        );
        expect(now.real.length).toBeLessThanOrEqual(LIMIT);
        expect(now.entries.length).toBeLessThanOrEqual(3 * LIMIT);
        expect(sum(now.real)).toBeLessThan(BYTES + 1_500); // over by one message at most

        const left = new Set(now.waiting.map(({ id }) => id));
        const gone = before.waiting.filter(({ id, seq }) => !left.has(id) && seq > now.acked);
        for (const { from: payer } of gone) {
          const isStranger = from !== me && !friends.has(from);
          if (isStranger) expect(friends).not.toContain(payer);
          if (before.counters.evicted < LIMIT && gone.length === 1) {
            const group = others.filter((name) => friends.has(name) === friends.has(payer));
            const most = Math.max(...group.map((name) => fullness(before.waiting, name)));
            expect(fullness(before.waiting, payer)).toBe(most);
          }
        }
        // Every lost message is reported: as a tombstone, or as an overflow.
        const byId = new Map(now.entries.map((entry) => [idOf(entry.message), entry]));
        missing = new Set([...missing, ...gone.map(({ id }) => id)]);
        for (const id of missing) {
          const seq = byId.get(id)?.seq;
          if (seq !== undefined && seq <= now.acked) missing.delete(id);
          else if (seq === undefined && now.acked >= now.first) missing.delete(id);
          else if (seq === undefined) expect(inboxState({ meta: stored }).overflowed).toBe(true);
          else expect(isTombstone(byId.get(id)!)).toBe(true);
        }
      }
    }),
    { numRuns: 60, examples: [[BEFRIENDED_DURING_EVICTION], [TWO_FILL_HALF]] },
  );
});

test('an acknowledgement never moves backwards, and one of an unknown message changes nothing', async () => {
  const store = await testStore();
  const logs = testLogs(store);
  await account(store, 'bob');
  const ids = [];
  for (const text of ['1', '2', '3']) {
    const sent = draft('alice', text, { to: 'bob' });
    await logs.direct('alice', 'bob', sent);
    ids.push(sent.id);
  }
  expect(await logs.ack('bob', 's', ids[1]!)).toBe(1);
  expect(await logs.ack('bob', 's', ids[0]!)).toBe(1);
  expect(await logs.ack('bob', 's', 'no such message')).toBeUndefined();
  const { end } = await logs.read(store.keys.inbox('bob'), { count: 0 });
  for (const wrong of [
    { ...end, epoch: 'zzzzzzzz' },
    { ...end, seq: 4 },
    { ...end, mark: '00000000' },
  ]) {
    expect(await logs.ack('bob', 's', wrong)).toBeUndefined();
  }
  expect(await logs.ack('bob', 's', end)).toBe(0);
});

test('acknowledging a message that was trimmed returns the unread count and changes nothing', async () => {
  const store = await testStore();
  const logs = testLogs(store, { inbox: 3 });
  await account(store, 'bob');
  for (const text of ['1', '2', '3', '4', '5'])
    await logs.direct('alice', 'bob', draft('alice', text, { to: 'bob' }));
  const { end } = await logs.read(store.keys.inbox('bob'), { count: 0 });
  expect(await logs.ack('bob', 's', { ...end, seq: 1 })).toBe(3);
  expect(inboxState(await logs.read(store.keys.inbox('bob'), { count: 0 }))).toMatchObject({
    acked: 0,
    unread: 3,
  });
});

test('a long acknowledgement takes several steps, each complete by itself', async () => {
  const store = await testStore();
  const logs = testLogs(store, { inbox: 2_000 });
  await account(store, 'bob');
  const sent = Array.from({ length: 1_200 }, (_, n) => draft(`x${n % 3}`, 'hi', { to: 'bob' }));
  const ids = sent.map(({ id }) => id);
  await logs.direct('x0', 'bob', sent[0]!); // the script is loaded by now, so the others keep their order
  await Promise.all(sent.slice(1).map((each) => logs.direct(each.limitedAs, 'bob', each)));
  const controller = new AbortController();
  controller.abort();
  await expect(logs.ack('bob', 's', ids[1_099]!, controller.signal)).rejects.toThrow(/abort/i);
  expect(await logs.unreadOf('bob', ['x0', 'x1', 'x2'])).toEqual([233, 233, 234]);
  expect(await logs.ack('bob', 's', ids[499]!)).toBe(700);
  expect(await logs.ack('bob', 's', ids[1_099]!)).toBe(100);
  expect(await logs.unreadOf('bob', ['x0', 'x1', 'x2'])).toEqual([33, 33, 34]);
});
