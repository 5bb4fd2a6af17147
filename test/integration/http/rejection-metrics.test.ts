/** Metrics of rejected requests and connections. */
import { expect, test } from 'vitest';
import { person, startNode, until } from '../../kit/app.ts';
import { send } from '../../kit/http.ts';
import { freePort } from '../../kit/ports.ts';
import { dial, received, request, requestBytes, statusesIn } from '../../kit/raw.ts';

const NEIGHBOUR = '127.0.0.2';

async function metered(settings: Record<string, string>) {
  const node = await startNode({ METRICS_PORT: String(await freePort()), ...settings });
  const metrics = { url: `http://127.0.0.1:${node.metricsAddress?.port}` };
  const counted = async (reason: string): Promise<number> => {
    const { text } = await send(metrics, 'GET', '/metrics');
    const line = new RegExp(`^parley_rejections_total\\{limit="${reason}"\\} (\\d+)$`, 'm').exec(text);
    return Number(line?.[1] ?? 0);
  };
  return { node, counted };
}

test('counts each request over a budget, and nothing else', async () => {
  const { node, counted } = await metered({ NETWORK_BUDGET: '20/2000' });
  expect((await request(node, { path: '/livez' })).status).toBe(200);
  expect(await counted('budget')).toBe(0);
  let refused = 0;
  for (let n = 0; n < 20; n += 1) if ((await request(node, { path: '/livez' })).status === 429) refused += 1;
  expect(refused).toBeGreaterThan(0);
  expect(await counted('budget')).toBe(refused);
  expect(await counted('in_flight')).toBe(0);
  expect(await counted('connections')).toBe(0);
});

test('counts a request that does not fit in the queue of its connection', async () => {
  const { node, counted } = await metered({ CONNECTION_IN_FLIGHT: '2', ACCOUNT_IN_FLIGHT: '2' });
  const alice = await person(node, 'alice');
  const socket = await dial(node);
  socket.write(requestBytes({ path: '/v1/me', token: alice.token }).repeat(500));
  expect(statusesIn(await received(socket, 10_000)).at(-1)).toBe(429);
  expect(await counted('in_flight')).toBe(1);
});

test('counts each connection above the limit', async () => {
  const { node, counted } = await metered({ NETWORK_CONNECTIONS: '3' });
  for (let n = 0; n < 3; n += 1) await dial(node);
  for (let n = 0; n < 5; n += 1) await received(await dial(node), 3_000);
  expect((await request(node, { path: '/livez' }, { from: NEIGHBOUR })).status).toBe(200);
  await until('all are counted', async () => (await counted('connections')) === 5);
});
