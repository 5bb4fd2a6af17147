import { expect, test } from 'vitest';
import { StoreUnavailable } from '../../../src/store/redis/error-replies.ts';
import { createReplicaWait, type WaitConnection } from '../../../src/store/redis/replica-wait.ts';
import { replicaWarnings } from '../../../src/store/redis/server-check.ts';

type Socket = WaitConnection['stream'];
const [FIRST, SECOND] = ['first', 'second'] as unknown as [Socket, Socket];

function connection(confirmed: () => Promise<number>) {
  const waits: unknown[][] = [];
  const fake = {
    stream: FIRST,
    wait: (...args: unknown[]) => {
      waits.push(args);
      return confirmed();
    },
  };
  return { fake, waits, confirm: createReplicaWait(fake as unknown as WaitConnection, 2) };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('the sends of one turn of the event loop share a WAIT', async () => {
  const { waits, confirm } = connection(async () => 2);
  await Promise.all([confirm(FIRST), confirm(FIRST), confirm(FIRST)]);
  expect(waits).toEqual([[2, 300]]);
});

test('sends that are accepted while a WAIT is in flight share the next one', async () => {
  const replies: ((confirmed: number) => void)[] = [];
  const { waits, confirm } = connection(() => new Promise((resolve) => replies.push(resolve)));
  const first = confirm(FIRST);
  await turn();
  await turn();
  expect(waits).toHaveLength(1);
  const others = [confirm(FIRST), confirm(FIRST)];
  for (let i = 0; i < 5; i += 1) await turn();
  expect(waits).toHaveLength(1);
  replies[0]!(2);
  await first;
  await turn();
  await turn();
  expect(waits).toHaveLength(2);
  replies[1]!(2);
  await Promise.all(others);
});

test('reports the store as unavailable when too few replicas confirm', async () => {
  const { confirm } = connection(async () => 1);
  await expect(confirm(FIRST)).rejects.toThrow(/1 of 2 replicas/);
  await expect(confirm(FIRST)).rejects.toBeInstanceOf(StoreUnavailable);
});

// The new connection has written nothing, so Redis confirms it at once.
test('a WAIT on another connection than the write confirms nothing', async () => {
  const { fake, confirm } = connection(async () => 2);
  const confirming = confirm(FIRST);
  fake.stream = SECOND;
  await expect(confirming).rejects.toThrow(/connection ended/);
});

test('a failed WAIT does not fail the next one', async () => {
  let isDown = true;
  const { confirm } = connection(async () => {
    if (isDown) throw new Error('Connection is closed.');
    return 2;
  });
  await expect(confirm(FIRST)).rejects.toThrow(/closed/);
  isDown = false;
  await confirm(FIRST);
});

test.each([
  [0, 1, /SENDS ARE REJECTED/],
  [1, 1, /STOPS ALL SENDS/],
  [2, 1, undefined],
])('%d replicas with WAIT_REPLICAS=%d', (connected, waitReplicas, warning) => {
  const warnings = replicaWarnings(connected, waitReplicas);
  if (warning) expect(warnings).toEqual([expect.stringMatching(warning)]);
  else expect(warnings).toEqual([]);
});
