/** WORKERS: several processes that are one Parley, from the first connection to the last. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { person, startNode, until } from './support/app.ts';
import { send } from './support/http.ts';
import { descendants, freePort, isAlive, startProcess } from './support/process.ts';
import { listenOnEach, startWorkers } from './support/workers.ts';

/** No REDIS_URL, and with only node on the PATH no redis-server: the one in WebAssembly, which is everywhere. */
function privateRedis(): Record<string, string> {
  const folder = mkdtempSync(join(tmpdir(), 'parley-workers-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return { PATH: '/nonexistent', REDIS_URL: '', JWT_SECRET: '', DATA_DIR: join(folder, 'data') };
}

test('a message sent to one worker reaches the streams of all, and their metrics are summed', async () => {
  const metricsPort = await freePort();
  const { node } = await startWorkers({ METRICS_PORT: String(metricsPort) });
  const [alice, bob] = [await person(node, 'alice'), await person(node, 'bob')];
  const streams = await listenOnEach(bob);
  for (const text of ['one', 'two', 'three', 'four']) {
    // each over a connection of its own: they go round
    const answer = await send(node, 'POST', '/v1/dm/bob', { token: alice.token, body: { text } });
    expect(answer.status).toBe(201);
  }
  for (const stream of streams.values()) {
    await until('all four are there', () => stream.messages().length === 4);
    expect(stream.messages().map(({ text }) => text)).toEqual(['one', 'two', 'three', 'four']);
  }
  const metrics = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  expect(metrics).toContain('parley_open_streams 2\n');
  expect(metrics).toContain('parley_sends_total{kind="dm"} 4\n');
  expect(metrics).toContain('parley_deliveries_total 8\n');
});

test('SIGTERM asks the streams of all workers to reconnect, then ends workers, Redis and primary in order', async () => {
  const { node, child, exited, output } = await startWorkers(privateRedis());
  const all = descendants(child.pid!);
  expect(all.length).toBeGreaterThan(2);
  const streams = await listenOnEach(await person(node, 'bob'));
  const startedAt = performance.now();
  child.kill('SIGTERM');
  for (const stream of streams.values())
    expect((await stream.next('goodbye')).data).toMatchObject({ code: 'shutdown', reconnect: true });
  expect(await exited).toBe(0);
  expect(performance.now() - startedAt).toBeLessThan(4_000);
  expect(all.filter(isAlive)).toEqual([]);
  expect(output()).not.toContain('started again');
  expect(output().split('SIGTERM').at(-1)).not.toMatch(/"level":"(warn|error)"/); // Redis was there until the last worker had ended
});

test('workers accept tokens of every secret in the list, as the primary was given it', async () => {
  const [fresh, old] = ['fresh: wren lantern copper violin', 'old: harbour thistle marble comet'];
  const { node } = await startWorkers({ JWT_SECRET: `${fresh},${old}` });
  const redis = { prefix: node.prefix };
  const before = await startNode({ JWT_SECRET: old }, redis);
  const alice = await person(before, 'alice');
  for (let tries = 0; tries < 4; tries += 1)
    expect((await send(node, 'GET', '/v1/me', { token: alice.token })).status).toBe(200);
});

test('Ctrl-C in a terminal reaches the workers too, and does no harm', async () => {
  const { pids, child, exited, output } = await startWorkers();
  for (const pid of pids().values()) process.kill(pid, 'SIGINT');
  child.kill('SIGINT');
  expect(await exited).toBe(0);
  expect([...pids().values()].filter(isAlive)).toEqual([]);
  expect(output()).not.toContain('started again');
});

test('a primary that is killed takes its workers and its Redis along', async () => {
  const { child } = await startWorkers(privateRedis());
  const all = descendants(child.pid!);
  expect(all.length).toBeGreaterThan(2);
  child.kill('SIGKILL');
  await until('nobody is left', () => !all.some(isAlive), 8_000);
});

test('workers that have ended come back, one and then all, on the port that was theirs', async () => {
  const { url, pids } = await startWorkers({ PORT: '0' });
  const [first, second] = [...pids().values()];
  process.kill(first!, 'SIGKILL');
  await until('another was started', () => pids().size === 3, 10_000);
  for (const pid of [second!, [...pids().values()].at(-1)!]) process.kill(pid, 'SIGKILL');
  await until('two more were started', () => pids().size === 5, 10_000);
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
});

test('reports a port that is in use once, and leaves nothing running', async () => {
  const { url } = await startWorkers();
  const second = await startProcess({ ...privateRedis(), WORKERS: '2', PORT: new URL(url).port });
  expect(await second.exited).toBe(1);
  expect(second.output().match(/EADDRINUSE/g)).toHaveLength(1);
  expect(second.output()).not.toMatch(/^\s+at /m);
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
});

test('a Redis that is not there ends all, with one problem told', async () => {
  const { exited, output } = await startWorkers({ REDIS_URL: 'redis://127.0.0.1:1' });
  expect(await exited).toBe(1);
  expect(output().match(/^parley: .*ECONNREFUSED/gm)).toHaveLength(1);
});
