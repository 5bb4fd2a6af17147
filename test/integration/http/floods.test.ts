/** Floods: connections of one network are read a few at a time, and paused after rejections. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { expect, onTestFinished, test, vi } from 'vitest';
import { Budget } from '../../../src/http/admission/budgets.ts';
import type { Connection } from '../../../src/http/admission/connection.ts';
import { createPacing } from '../../../src/http/admission/pacing.ts';
import { startNode } from '../../kit/app.ts';
import { dial, received, requestBytes, statusesIn } from '../../kit/raw.ts';

const [AT_ONCE, RELEASED] = [64, 16];
const limits = { budget: { max: 0, windowMs: 1_000 }, inFlight: 0 };
const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** New connections of one network. */
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
  /** Starts a request on each connection that is not paused, and returns their number. */
  function burst(of: Fake[]): number {
    let count = 0;
    for (const each of of) {
      if (each.isHeld) continue;
      pace.began(each as unknown as Connection);
      count += 1;
    }
    return count;
  }
  return burst;
}
/** Returns a function for the highest number of requests that this process started in one turn of the event loop. */
function mostPerTurn(): () => number {
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

test('of a thousand connections that send at the same time a few are read per turn, and eventually all', async () => {
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

test('connections of another network that sends little are not paused', () => {
  const [many, few] = [crowd(1_000), crowd(5)];
  const burst = paced(many, few);
  burst(many);
  expect(burst(few)).toBe(5);
});

test('twenty networks that send at the same time share a turn', () => {
  const crowds = Array.from({ length: 20 }, () => crowd(50));
  const burst = paced(...crowds);
  // In the order of arrival: one of each network, then the next of each, and so on.
  const mixed = Array.from({ length: 50 }, (_, index) => crowds.map((each) => each[index]!)).flat();
  expect(burst(mixed)).toBeLessThanOrEqual(AT_ONCE + 3 * crowds.length);
  for (const each of crowds) expect(heldOf(each)).toBeGreaterThan(40);
});

test('a node starts no more requests than that per turn, and responds to all of them', async () => {
  const node = await startNode({ NETWORK_BUDGET: '0', NETWORK_CONNECTIONS: '0' });
  const sockets = await Promise.all(Array.from({ length: 300 }, () => dial(node)));
  for (const each of sockets) each.setEncoding('utf8');
  const most = mostPerTurn();
  for (let round = 0; round < 3; round += 1) {
    const answers = Promise.all(sockets.map((each) => once(each, 'data')));
    for (const each of sockets) each.write(requestBytes({ path: '/livez' }));
    expect(statusesIn((await answers).flat().join('')).filter((status) => status === 200)).toHaveLength(300);
  }
  expect(most()).toBeGreaterThan(RELEASED);
  expect(most()).toBeLessThanOrEqual(AT_ONCE + 1 + RELEASED);
});

test('a network is flooding when it causes more than 200 rejections per second', () => {
  const network = new Budget(limits, 1, 0);
  const pausesMs = Array.from({ length: 100 }, () => network.nextPauseMs(0));
  expect(pausesMs.slice(0, 50)).toEqual(Array.from({ length: 50 }, () => 250));
  expect(pausesMs.at(-1)).toBe(500);
  expect(network.isFlooding(0)).toBe(true);
  expect(network.isFlooding(300)).toBe(false);
  for (let n = 0; n < 10_000; n += 1) network.nextPauseMs(300);
  expect(network.nextPauseMs(300)).toBe(5_000);
});

test('low-priority work leaves a quarter of the bucket for other requests', () => {
  const budget = new Budget({ budget: { max: 400, windowMs: 1_000 }, inFlight: 1 }, 1, 0);
  budget.spend(300);
  expect([budget.spareMs(0), budget.waitMs(0)]).toEqual([0, 0]);
  budget.spend(20);
  expect([budget.spareMs(0), budget.waitMs(0)]).toEqual([50, 0]);
  expect(budget.spareMs(50)).toBe(0);
});

test('a new connection of a flooding network is paused before it is read', async () => {
  const node = await startNode();
  for (const [method, value] of [['isFlooding', true] as const, ['nextPauseMs', 1_500] as const]) {
    const spy = vi.spyOn(Budget.prototype, method).mockReturnValue(value);
    onTestFinished(() => spy.mockRestore());
  }
  const newcomer = await dial(node);
  newcomer.write(requestBytes({ path: '/livez' }));
  expect(await received(newcomer, 500)).toBe('');
  expect(statusesIn(await received(newcomer, 4_000))).toEqual([200]);
});
