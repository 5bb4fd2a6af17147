/** After any history, the counters, the channels and the evictions of an inbox are correct. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { directChannel, otherMember } from '../../../src/store/channels.ts';
import { createConversationStore } from '../../../src/store/conversations.ts';
import { inboxState } from '../../../src/store/inboxes.ts';
import { type Draft, decodeId, isTombstone, parseInboxEntry } from '../../../src/store/log/entry.ts';
import type { Store } from '../../../src/store/redis/client.ts';
import { account, draft, testLogs, testStore } from '../../kit/store.ts';

const LIMIT = 6;
const BYTES = 4_000;
const OTHERS = ['x0', 'x1', 'x2'];

type Step =
  | { do: 'receive'; from: number; length: number }
  | { do: 'send'; to: number }
  /** `back`: of how many entries from the newest; 0 acknowledges everything. */
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
  { weight: 1, arbitrary: fc.record({ do: fc.constant('send' as const), to: fc.nat(3) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('ack' as const),
      back: fc.oneof(fc.constant(0), fc.nat(2 * LIMIT)),
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

/** A hash of msgpack values, each as the texts of its parts. */
async function unpacked(store: Store, key: string): Promise<Record<string, string[]>> {
  const script = `
    local function texts(...)
      local parts = { ... }
      for n = 1, select('#', ...) do parts[n] = tostring(parts[n]) end
      return parts
    end
    local values = redis.call('HGETALL', KEYS[1])
    for i = 2, #values, 2 do values[i] = texts(cmsgpack.unpack(values[i])) end
    return values`;
  const flat = (await store.commands.eval(script, 1, key)) as (string | string[])[];
  return Object.fromEntries(flat.flatMap((name, i) => (i % 2 ? [] : [[name, flat[i + 1]!]])));
}

type Waiting = { seq: number; id: string; channel: string; size: number };

const sum = (entries: { size: number }[]) => entries.reduce((total, { size }) => total + size, 0);

/** The share of the inbox that a channel fills. */
function fullness(waiting: Waiting[], channel: string): number {
  const theirs = waiting.filter((each) => each.channel === channel);
  return Math.max(theirs.length / LIMIT, sum(theirs) / BYTES);
}

/** The expected state after the history so far, kept apart from the inbox. */
function createModel(me: string) {
  return {
    friends: new Set<string>(),
    /** Channels, newest first. */
    order: [] as string[],
    /** Of each channel: its newest message, as `seq mark`, and the place in the inbox of the newest one from the other. */
    newest: {} as Record<string, string>,
    last: {} as Record<string, number>,
    received: 0,
    /** `received` of each entry of the inbox. */
    receivedAt: [0],
    isFriend(channel: string): boolean {
      return this.friends.has(otherMember(channel, me));
    },
    append(channel: string, from: string, message: string, mark: string): void {
      this.order = [channel, ...this.order.filter((each) => each !== channel)];
      this.newest[channel] = `${JSON.parse(message).seq} ${mark}`;
      if (from === me) this.friends.add(otherMember(channel, me));
      else this.received += 1;
      this.receivedAt.push(this.received);
      if (from !== me) this.last[channel] = this.receivedAt.length - 1;
    },
  };
}

type Model = ReturnType<typeof createModel>;

/** Everything that is counted for an inbox, computed from every entry. */
async function scan(store: Store, me: string, model: Model) {
  const { list } = store.keys.inbox(me);
  const logs = model.order.map((channel) => store.keys.direct(channel).list);
  const [raw, part, ...sent] = await Promise.all([
    store.commands.lrange(list, 0, -1),
    testLogs(store).read(store.keys.inbox(me), { count: 0 }),
    ...logs.map((log) => store.commands.lrange(log, 0, -1)),
  ]);
  const { first, end } = part;
  const { acked } = inboxState(part);
  const entries = raw.map((each, index) => {
    const [channel = '', received] = each.split(' ', 2);
    const size = Buffer.byteLength(each);
    return { ...parseInboxEntry(first + index, each), channel, received: Number(received), size };
  });
  const waiting: Waiting[] = entries.filter(
    (entry) => entry.seq > acked && entry.type === 'message' && entry.from !== me,
  );
  const real = entries.filter((entry) => !isTombstone(entry));
  const strange = waiting.filter(({ channel }) => !model.isFriend(channel));
  const stored = sent.flat().filter((entry) => entry.split(' ')[6] === me);
  const counters = {
    unread: waiting.length,
    received: model.received,
    bytes: sum(real),
    evicted: entries.length - real.length,
    stored: stored.reduce((total, entry) => total + Buffer.byteLength(entry), 0),
    strangers: strange.length,
    strangerBytes: sum(strange),
    newest: model.order[0] ?? '-',
  };
  return { part, first, end, acked, entries, real, waiting, counters };
}

type Scan = Awaited<ReturnType<typeof scan>>;

/** The state of the inbox and the node of each channel, as stored, equal what was computed. */
async function checkStored(store: Store, me: string, model: Model, now: Scan) {
  const { hash, heavy } = store.keys.inbox(me);
  const { '#': state = [], ...nodes } = await unpacked(store, hash);
  const [acked, unread, , , evictedAt, received, bytes, evicted, stored, strangers, strangerBytes] = state
    .slice(4)
    .map(Number);
  const [strangersFrom = 0, friendsFrom = 0, , , newest = '-'] = state.slice(15);
  if (model.order.length > 0) {
    const counters = { unread, received, bytes, evicted, stored, strangers, strangerBytes };
    expect({ ...counters, newest }).toEqual(now.counters);
    expect(acked).toBe(now.acked);
    expect(evictedAt).toBeGreaterThanOrEqual(now.entries.findLast(isTombstone)?.seq ?? 0);
  }
  for (const { seq, channel } of now.waiting)
    expect(seq).toBeGreaterThanOrEqual(Number(model.isFriend(channel) ? friendsFrom : strangersFrom));
  for (const { seq, received: count } of now.entries) expect(count).toBe(model.receivedAt[seq]);

  expect(Object.keys(nodes).sort()).toEqual(model.order.toSorted());
  let previous = Number.POSITIVE_INFINITY;
  for (const [place, channel] of model.order.entries()) {
    const [at, newer, older, seq, mark, count, size, from, last, isFriend, isHeavy] = nodes[channel]!;
    expect(Number(at)).toBeLessThan(previous);
    previous = Number(at);
    const theirs = now.waiting.filter((each) => each.channel === channel);
    const isRead = Number(last) <= now.acked; // then what the node counts is void
    expect({ newer, older, newest: `${seq} ${mark}`, last: Number(last), isFriend }).toEqual({
      newer: model.order[place - 1] ?? '-',
      older: model.order[place + 1] ?? '-',
      newest: model.newest[channel],
      last: model.last[channel] ?? 0,
      isFriend: String(model.isFriend(channel)),
    });
    expect([isRead ? 0 : Number(count), isRead ? 0 : Number(size)]).toEqual([theirs.length, sum(theirs)]);
    expect(!isRead && isHeavy === 'true').toBe(fullness(now.waiting, channel) >= 1 / 64);
    if (theirs[0]) expect(Number(from)).toBeLessThanOrEqual(theirs[0].seq);
  }
  expect((await store.commands.hkeys(heavy)).sort()).toEqual(
    [...new Set(now.waiting.map(({ channel }) => channel))].sort(), // one message is more than 1/64
  );
  const { listed } = await createConversationStore(store, () => 'eeeeeeee').page(me, 10, undefined);
  expect(listed.map(({ channel, unread: count }) => [channel, count])).toEqual(
    model.order.map((channel) => [channel, now.waiting.filter((each) => each.channel === channel).length]),
  );
}

/** The messages that were evicted were the right ones to go. */
function checkPayers(gone: Waiting[], from: string, me: string, model: Model, before: Scan) {
  for (const { channel: payer } of gone) {
    const isStranger = from !== me && !model.friends.has(from);
    if (isStranger) expect(model.isFriend(payer)).toBe(false);
    if (before.counters.evicted < LIMIT && gone.length === 1) {
      const group = model.order.filter((channel) => model.isFriend(channel) === model.isFriend(payer));
      const most = Math.max(...group.map((channel) => fullness(before.waiting, channel)));
      expect(fullness(before.waiting, payer)).toBe(most);
    }
  }
}

/** Every lost message is reported: as a tombstone, or as an overflow. Forgets those that were acknowledged. */
function checkMissing(missing: Set<string>, now: Scan) {
  const byId = new Map(now.entries.map((entry) => [entry.id, entry]));
  for (const id of missing) {
    const seq = byId.get(id)?.seq;
    if (seq !== undefined && seq <= now.acked) missing.delete(id);
    else if (seq === undefined && now.acked >= now.first) missing.delete(id);
    else if (seq === undefined) expect(inboxState(now.part).overflowed).toBe(true);
    else expect(isTombstone(byId.get(id)!)).toBe(true);
  }
}

test('counters and channels equal a full count of the inbox, and the right sender pays for evictions, after any history', async () => {
  const store = await testStore();
  const logs = testLogs(store, { inbox: LIMIT, inboxBytes: BYTES });
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      run += 1;
      const me = `me${run}`;
      const others = OTHERS.map((name) => `${name}-${run}`);
      await account(store, me, ...others);
      const model = createModel(me);
      const missing = new Set<string>(); // received, not acknowledged, and gone
      for (const each of steps) {
        const before = await scan(store, me, model);
        let from = me;
        if (each.do === 'ack') {
          const entry = before.entries.at(-1 - each.back);
          if (!entry) continue;
          const at = { epoch: before.end.epoch, seq: entry.seq, mark: entry.mark };
          expect(await logs.ack(me, 's', each.by === 'id' ? decodeId(entry.id) : at)).toBeDefined();
        } else {
          from = each.do === 'send' ? me : others[each.from]!;
          const to = each.do === 'send' ? [...others, me][each.to]! : me;
          const channel = directChannel(from, to);
          const sent = draft(from, 'x'.repeat(each.do === 'send' ? 1 : each.length));
          const result = await logs.direct(channel, sent);
          const isRejected = result.outcome === 'mailbox_full';
          if (isRejected) expect([each.do, model.friends.has(from)]).toEqual(['receive', false]);
          else expect(result.outcome).toBe('appended');
          if (result.outcome === 'appended') model.append(channel, from, result.message, sent.id.slice(-6));
        }
        const now = await scan(store, me, model);
        await checkStored(store, me, model, now);
        expect(now.end.epoch, 'no loss was assumed').toBe(before.end.epoch || now.end.epoch);
        expect(now.real.length).toBeLessThanOrEqual(LIMIT);
        expect(now.entries.length).toBeLessThanOrEqual(3 * LIMIT);
        expect(sum(now.real)).toBeLessThan(BYTES + 1_500); // over by one message at most
        const left = new Set(now.waiting.map(({ id }) => id));
        const gone = before.waiting.filter(({ id, seq }) => !left.has(id) && seq > now.acked);
        checkPayers(gone, from, me, model, before);
        for (const { id } of gone) missing.add(id);
        checkMissing(missing, now);
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
    const sent = draft('alice', text);
    await logs.direct(directChannel('alice', 'bob'), sent);
    ids.push(decodeId(sent.id));
  }
  expect(await logs.ack('bob', 's', ids[1]!)).toBe(1);
  expect(await logs.ack('bob', 's', ids[0]!)).toBe(1);
  for (const unknown of ['no such message', decodeId(draft('alice', 'never sent').id)])
    expect(await logs.ack('bob', 's', unknown)).toBeUndefined();
  const { end } = await logs.read(store.keys.inbox('bob'), { count: 0 });
  for (const wrong of [
    { ...end, epoch: 'zzzzzzzz' },
    { ...end, seq: 4 },
    { ...end, mark: 'AAAAAA' },
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
    await logs.direct(directChannel('alice', 'bob'), draft('alice', text));
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
  const sent = Array.from({ length: 1_800 }, (_, n) => draft(`x${n % 3}`, 'x'.repeat(100)));
  const ids = sent.map(({ id }) => decodeId(id));
  const send = (each: Draft) => logs.direct(directChannel(each.from, 'bob'), each);
  await send(sent[0]!); // the script is loaded by now, so the others keep their order
  await Promise.all(sent.slice(1).map(send));
  const unread = async () => {
    const { listed } = await createConversationStore(store, () => 'eeeeeeee').page('bob', 3, undefined);
    return listed.map((each) => each.unread).sort();
  };
  const controller = new AbortController();
  controller.abort();
  await expect(logs.ack('bob', 's', ids[1_699]!, controller.signal)).rejects.toThrow(/abort/i);
  const left = await unread();
  const total = left.reduce((all, count) => all + count, 0);
  expect(total).toBeGreaterThan(300);
  expect(total).toBeLessThan(1_800);
  expect(left.at(-1)! - left[0]!).toBeLessThanOrEqual(1);
  expect(inboxState(await logs.read(store.keys.inbox('bob'), { count: 0 })).acked).toBe(1_800 - total);
  expect(await logs.ack('bob', 's', ids[1_499]!)).toBe(300);
  expect(await logs.ack('bob', 's', ids[1_699]!)).toBe(100);
  expect(await unread()).toEqual([33, 33, 34]);
});

test('a send that needs several steps to make room is stored once, and its channel is listed once', async () => {
  const store = await testStore();
  const logs = testLogs(store, { inbox: 4_000, inboxBytes: 2 ** 24 });
  await account(store, 'me', 'f', 'z1', 'z2', 'z3');
  const send = (from: string, to = 'me') => logs.direct(directChannel(from, to), draft(from, 'hi'));
  await send('me', 'f');
  expect(await logs.ack('me', 's', (await logs.read(store.keys.inbox('me'), { count: 0 })).end)).toBe(0);
  // A friend's message at the front, then one of the heaviest sender, whose next one lies behind 2,000 of others.
  await send('f');
  await send('heavy');
  const senders = Array.from({ length: 2_000 }, (_, n) => `x${n % 40}`);
  await Promise.all(senders.map((from) => send(from)));
  await Promise.all(Array.from({ length: 1_997 }, () => send('heavy')));

  const runs: string[] = [];
  const append = store.append;
  const counted = testLogs(
    {
      ...store,
      append: async (...call) => {
        const reply = await append(...call);
        runs.push(String(reply[0]));
        return reply;
      },
    } as Store,
    { inbox: 4_000, inboxBytes: 2 ** 24 },
  );
  for (const to of ['z1', 'z2', 'z3'])
    expect((await counted.direct(directChannel('me', to), draft('me', 'hi'))).outcome).toBe('appended');
  expect(runs).toContain('again');
  expect(await store.commands.llen(store.keys.direct(directChannel('me', 'z3')).list)).toBe(1);
  const { listed } = await createConversationStore(store, () => 'eeeeeeee').page('me', 100, undefined);
  expect(listed.slice(0, 3).map(({ channel }) => otherMember(channel, 'me'))).toEqual(['z3', 'z2', 'z1']);
  expect(new Set(listed.map(({ channel }) => channel)).size).toBe(45);
});
