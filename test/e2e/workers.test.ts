/** WORKERS: several processes on one port. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { person, startNode, until } from '../kit/app.ts';
import { send } from '../kit/http.ts';
import { within } from '../kit/patience.ts';
import { freePort } from '../kit/ports.ts';
import { descendants, isAlive, startProcess } from '../kit/process.ts';
import { listenOnEach, startWorkers } from '../kit/workers.ts';

/** No REDIS_URL and no redis-server on the PATH: Parley starts the Redis in WebAssembly, which works everywhere. */
function privateRedis(): Record<string, string> {
  const folder = mkdtempSync(join(tmpdir(), 'parley-workers-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return { PATH: '/nonexistent', REDIS_URL: '', JWT_SECRET: '', DATA_DIR: join(folder, 'data') };
}

test('messages reach the streams of all workers, and metrics are summed over workers', async () => {
  const metricsPort = await freePort();
  const { node } = await startWorkers({ METRICS_PORT: String(metricsPort) });
  const [alice, bob] = [await person(node, 'alice'), await person(node, 'bob')];
  const streams = await listenOnEach(bob);
  for (const text of ['one', 'two', 'three', 'four']) {
    // Each send opens a new connection, so the workers take turns.
    const response = await send(node, 'POST', '/v1/dm/bob', { token: alice.token, body: { text } });
    expect(response.status).toBe(201);
  }
  for (const stream of streams.values()) {
    await until('all four have arrived', () => stream.messages().length === 4);
    expect(stream.messages().map(({ text }) => text)).toEqual(['one', 'two', 'three', 'four']);
  }
  const metrics = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  expect(metrics).toContain('parley_open_streams 2\n');
  expect(metrics).toContain('parley_accounts_online 1\n');
  expect(metrics).toContain('parley_messages_stored_total{kind="dm"} 4\n');
  expect(metrics).toContain('parley_messages_delivered_total 8\n');
});

test('on SIGTERM clients of all workers are asked to reconnect; then workers, Redis and primary exit in this order', async () => {
  const { node, child, exited, output } = await startWorkers(privateRedis());
  const children = descendants(child.pid!);
  expect(children.length).toBeGreaterThan(2);
  const streams = await listenOnEach(await person(node, 'bob'));
  const startedAt = performance.now();
  child.kill('SIGTERM');
  for (const stream of streams.values())
    expect((await stream.next('goodbye')).data).toMatchObject({ code: 'shutdown', reconnect: true });
  expect(await exited).toBe(0);
  expect(performance.now() - startedAt).toBeLessThan(within(4_000));
  expect(children.filter(isAlive)).toEqual([]);
  expect(output()).not.toContain('starting another');
  expect(output().split('SIGTERM').at(-1)).not.toMatch(/"level":"(warn|error)"/); // Redis ran until the last worker had exited
});

test('workers accept tokens signed with any secret in the list', async () => {
  const [fresh, old] = ['fresh: wren lantern copper violin', 'old: harbour thistle marble comet'];
  const { node } = await startWorkers({ JWT_SECRET: `${fresh},${old}` });
  const redis = { prefix: node.prefix };
  const before = await startNode({ JWT_SECRET: old }, redis);
  const alice = await person(before, 'alice');
  for (let tries = 0; tries < 4; tries += 1)
    expect((await send(node, 'GET', '/v1/me', { token: alice.token })).status).toBe(200);
});

test('exits cleanly on Ctrl-C in a terminal, which signals the workers too', async () => {
  const { pids, child, exited, output } = await startWorkers();
  for (const pid of pids().values()) process.kill(pid, 'SIGINT');
  child.kill('SIGINT');
  expect(await exited).toBe(0);
  expect([...pids().values()].filter(isAlive)).toEqual([]);
  expect(output()).not.toContain('starting another');
});

test('workers and the private Redis exit when the primary is killed', async () => {
  const { child } = await startWorkers(privateRedis());
  const children = descendants(child.pid!);
  expect(children.length).toBeGreaterThan(2);
  child.kill('SIGKILL');
  await until('all processes have exited', () => !children.some(isAlive), 8_000);
});

test('replaces workers that were killed, one or all of them, on the same port', async () => {
  const { url, pids } = await startWorkers({ PORT: '0' });
  const [first, second] = [...pids().values()];
  process.kill(first!, 'SIGKILL');
  await until('one more worker was started', () => pids().size === 3, 10_000);
  for (const pid of [second!, [...pids().values()].at(-1)!]) process.kill(pid, 'SIGKILL');
  await until('two more workers were started', () => pids().size === 5, 10_000);
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
});

test('reports once that the port is in use, and exits', async () => {
  const { url } = await startWorkers();
  const second = await startProcess({ ...privateRedis(), WORKERS: '2', PORT: new URL(url).port });
  expect(await second.exited).toBe(1);
  expect(second.output().match(/EADDRINUSE/g)).toHaveLength(1);
  expect(second.output()).not.toMatch(/^\s+at /m);
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
});

test('reports once that Redis is unreachable, and exits', async () => {
  const { exited, output } = await startWorkers({ REDIS_URL: 'redis://127.0.0.1:1' });
  expect(await exited).toBe(1);
  expect(output().match(/^parley: .*ECONNREFUSED/gm)).toHaveLength(1);
});
