/** Very many requests at once, or refusals: those of one network are read a few at a time, and rest. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { expect, onTestFinished, test, vi } from 'vitest';
import { Budget } from '../../src/http/admission/budgets.ts';
import type { Connection } from '../../src/http/admission/connection.ts';
import { createPacing } from '../../src/http/admission/pacing.ts';
import { startNode } from '../support/app.ts';
import { bytesOf, dial, heard, statusesIn } from '../support/raw.ts';

const [AT_ONCE, RELEASED] = [64, 16];
const limits = { budget: { max: 0, windowMs: 1_000 }, inFlight: 0 };
const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** As many connections of one network, of which none has sent anything yet. */
function crowd(count: number) {
  const network = new Budget(limits, 1, 0);
  return Array.from({ length: count }, () => ({
    isHeld: false,
    budgets: [network],
    hold() {
      this.isHeld = true;
    },
    release() {
      this.isHeld = false;
    },
  }));
}
type Fake = ReturnType<typeof crowd>[number];

function paced(...crowds: Fake[][]) {
  const connections = new Set(crowds.flat()) as unknown as Set<Connection>;
  const pace = createPacing(connections);
  /** All that are read send a request; answers how many did. */
  function burst(of: Fake[]): number {
    let begun = 0;
    for (const each of of) {
      if (each.isHeld) continue;
      pace.began(each as unknown as Connection);
      begun += 1;
    }
    return begun;
  }
  return burst;
}
/** Answers how many requests this process has begun to serve in one turn of its event loop, at the most. */
function mostInATurn(): () => number {
  let [most, inThis] = [0, 0];
  const started = () => {
    if (inThis === 0)
      setImmediate(() => {
        inThis = 0;
      });
    inThis += 1;
    most = Math.max(most, inThis);
  };
  subscribe('http.server.request.start', started);
  onTestFinished(() => void unsubscribe('http.server.request.start', started));
  return () => most;
}

const heldOf = (of: Fake[]) => of.filter(({ isHeld }) => isHeld).length;

test('of a thousand connections that send at once a few are read in each turn of the event loop, and in the end all', async () => {
  const many = crowd(1_000);
  const burst = paced(many);
  expect(burst(many)).toBe(AT_ONCE + 1);
  for (let turns = 1; heldOf(many) > 0; turns += 1) {
    const before = heldOf(many);
    await nextTurn();
    expect(before - heldOf(many)).toBe(Math.min(RELEASED, before));
    expect(turns).toBeLessThan(100);
  }
});

test('those of another network, which sends little, are read meanwhile', () => {
  const [many, few] = [crowd(1_000), crowd(5)];
  const burst = paced(many, few);
  burst(many);
  expect(burst(few)).toBe(5);
});

test('twenty networks that send at once are each read a little', () => {
  const crowds = Array.from({ length: 20 }, () => crowd(50));
  const burst = paced(...crowds);
  // In the order in which they would come: one of each network, the next of each, and so on.
  const mixed = Array.from({ length: 50 }, (_, index) => crowds.map((each) => each[index]!)).flat();
  expect(burst(mixed)).toBeLessThanOrEqual(AT_ONCE + 3 * crowds.length);
  for (const each of crowds) expect(heldOf(each)).toBeGreaterThan(40);
});

test('a node begins no more in one turn, and answers all', async () => {
  const node = await startNode({ NETWORK_BUDGET: '0', NETWORK_CONNECTIONS: '0' });
  const sockets = await Promise.all(Array.from({ length: 300 }, () => dial(node)));
  for (const each of sockets) each.setEncoding('utf8');
  const most = mostInATurn();
  for (let round = 0; round < 3; round += 1) {
    const answers = Promise.all(sockets.map((each) => once(each, 'data')));
    for (const each of sockets) each.write(bytesOf({ path: '/livez' }));
    expect(statusesIn((await answers).flat().join('')).filter((status) => status === 200)).toHaveLength(300);
  }
  expect(most()).toBeGreaterThan(RELEASED);
  expect(most()).toBeLessThanOrEqual(AT_ONCE + 1 + RELEASED);
});

test('a network has too many refusals when they come faster than 200 in a second', () => {
  const network = new Budget(limits, 1, 0);
  const restsMs = Array.from({ length: 100 }, () => network.restMs(0));
  expect(restsMs.slice(0, 50)).toEqual(Array.from({ length: 50 }, () => 250));
  expect(restsMs.at(-1)).toBe(500);
  expect(network.isFlooding(0)).toBe(true);
  expect(network.isFlooding(300)).toBe(false);
  for (let n = 0; n < 10_000; n += 1) network.restMs(300);
  expect(network.restMs(300)).toBe(5_000);
});

test('what is in no hurry leaves a quarter of a bucket to what is', () => {
  const party = new Budget({ budget: { max: 400, windowMs: 1_000 }, inFlight: 1 }, 1, 0);
  party.spend(300);
  expect([party.spareMs(0), party.waitMs(0)]).toEqual([0, 0]);
  party.spend(20);
  expect([party.spareMs(0), party.waitMs(0)]).toEqual([50, 0]);
  expect(party.spareMs(50)).toBe(0);
});

test('of such a network a new connection rests before it is read', async () => {
  const node = await startNode();
  for (const [method, value] of [['isFlooding', true] as const, ['restMs', 1_500] as const]) {
    const spy = vi.spyOn(Budget.prototype, method).mockReturnValue(value);
    onTestFinished(() => spy.mockRestore());
  }
  const newcomer = await dial(node);
  newcomer.write(bytesOf({ path: '/livez' }));
  expect(await heard(newcomer, 500)).toBe('');
  expect(statusesIn(await heard(newcomer, 4_000))).toEqual([200]);
});
