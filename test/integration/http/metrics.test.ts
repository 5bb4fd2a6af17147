/** Metrics of a node. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { listen, login, person, say, startNode, type TestNode, tell, until } from '../../kit/app.ts';
import { call } from '../../kit/contract.ts';
import { send } from '../../kit/http.ts';
import { freePort } from '../../kit/ports.ts';
import { cutCommands, cutSubscribers, testStore } from '../../kit/store.ts';

const read = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');

const startWithMetrics = async (settings: Record<string, string> = {}): Promise<TestNode> =>
  startNode({ METRICS_PORT: String(await freePort()), ...settings });

async function metricsOf(node: TestNode): Promise<string> {
  const metrics = { url: `http://127.0.0.1:${node.metricsAddress?.port}` };
  return (await send(metrics, 'GET', '/metrics')).text;
}

/** The value of one series, 0 if it does not exist. */
async function value(node: TestNode, series: string): Promise<number> {
  const line = (await metricsOf(node)).split('\n').find((each) => each.startsWith(`${series} `));
  return Number(line?.slice(series.length + 1) ?? 0);
}

test('shows the duration of requests by operation, without streams, and which build is running', async () => {
  const node = await startWithMetrics();
  const alice = await person(node, 'alice');
  await call(node, 'getMe', { token: alice.token });
  const stream = await listen(alice);
  stream.close();
  let text = '';
  await until('the stream was counted', async () => {
    text = await metricsOf(node);
    return text.includes('parley_requests_total{operation="openStream"');
  });
  expect(text).toContain('parley_request_duration_seconds_count{operation="getMe"} 1\n');
  expect(text).toContain('parley_request_duration_seconds_bucket{le="5",operation="getMe"} 1\n');
  expect(text).not.toContain('parley_request_duration_seconds_count{operation="openStream"}');
  const { version } = JSON.parse(read('package.json'));
  expect(text).toContain(`parley_build_info{version="${version}",node_version="${process.version}"} 1\n`);
});

test('shows how many accounts are online on all nodes, each once', async () => {
  const node = await startWithMetrics();
  const other = await startNode({}, { prefix: node.prefix });
  const [alice, bob] = [await person(node, 'alice'), await person(node, 'bob')];
  expect(await value(node, 'parley_accounts_online')).toBe(0);
  await listen(alice);
  await listen(alice);
  await listen(bob, { node: other });
  await until('both are online', async () => (await value(node, 'parley_accounts_online')) === 2);
});

test('measures the delivery lag once per batch, and only if a stream received something', async () => {
  const node = await startWithMetrics();
  const [alice, bob] = [await person(node, 'alice'), await person(node, 'bob')];
  const own = await listen(alice);
  await tell(alice, 'bob', 'not on a stream');
  expect(await value(node, 'parley_delivery_lag_seconds_count')).toBe(0);
  const streams = [await listen(bob), await listen(bob), await listen(await login(node, 'bob'))];
  await say(alice, 'hello');
  for (const stream of streams) await stream.next('broadcast');
  await until(
    'all deliveries are counted',
    async () => (await value(node, 'parley_messages_delivered_total')) === 6, // the message above was replayed
  );
  expect(await value(node, 'parley_delivery_lag_seconds_count')).toBe(1);
  await tell(alice, 'bob', 'hello');
  for (const stream of streams)
    await until('delivered', () => stream.messages().filter(({ text }) => text === 'hello').length === 2);
  await until('measured', async () => (await value(node, 'parley_delivery_lag_seconds_count')) === 2);
  expect(await value(node, 'parley_delivery_lag_seconds_sum')).toBeLessThan(10);
  own.close();
});

test('counts error responses by problem code', async () => {
  const node = await startWithMetrics({ SEND_LIMIT: '1/60' });
  const alice = await person(node, 'alice');
  await tell(alice, 'nobody', 'hello');
  await say(alice, 'one');
  for (let n = 0; n < 3; n += 1) await say(alice, 'more');
  expect(await value(node, 'parley_problems_total{code="unknown_user"}')).toBe(1);
  expect(await value(node, 'parley_problems_total{code="too_many_requests"}')).toBe(3);
  expect(
    await value(node, 'parley_requests_total{operation="sendBroadcast",status="429"}'),
    'shows which limit',
  ).toBe(3);
});

test('shows how many logins wait for a password check', async () => {
  const node = await startWithMetrics({ BCRYPT_COST: '12' });
  const attempts = Array.from({ length: 12 }, (_, n) =>
    send(node, 'POST', '/v1/login', { body: { username: `user${n}`, password: 'correct horse battery' } }),
  );
  await until('some wait', async () => (await value(node, 'parley_password_queue_length')) > 0);
  await Promise.all(attempts);
  expect(await value(node, 'parley_password_queue_length')).toBe(0);
});

test('counts reconnects to Redis by connection', async () => {
  const node = await startWithMetrics();
  const store = await testStore();
  const reconnects = (connection: string) =>
    value(node, `parley_redis_reconnects_total{connection="${connection}"}`);
  expect([await reconnects('commands'), await reconnects('subscriber')]).toEqual([0, 0]);
  await cutSubscribers(store, node.prefix);
  await until('the subscriber is back', async () => (await reconnects('subscriber')) === 1);
  await cutCommands(store, node.prefix);
  await until('the connection for commands is back', async () => (await reconnects('commands')) === 1);
  expect(await reconnects('subscriber')).toBe(1);
});

const nameOf = (series: string): string => series.replace(/_(bucket|sum|count)$/, '');

test('the Grafana dashboard and the alerts use only metrics that exist', async () => {
  const text = await metricsOf(await startWithMetrics());
  for (const file of ['deploy/grafana/parley.json', 'deploy/prometheus/parley.rules.yml']) {
    const used = new Set(read(file).match(/\b(parley|nodejs|process)_[a-z]\w+/g));
    expect(used.size, file).toBeGreaterThan(2);
    expect([...used].filter((name) => !text.includes(`# TYPE ${nameOf(name)} `))).toEqual([]);
  }
});

test('each alert has a condition, a duration, a severity and a summary', () => {
  const { groups } = parse(read('deploy/prometheus/parley.rules.yml'));
  expect(groups[0].rules).toHaveLength(4);
  for (const rule of groups[0].rules)
    expect(rule).toEqual({
      alert: expect.stringMatching(/^Parley\w+$/),
      expr: expect.stringMatching(/job="parley"/),
      for: expect.stringMatching(/^\d+m$/),
      labels: { severity: expect.stringMatching(/^(critical|warning)$/) },
      annotations: { summary: expect.any(String), description: expect.any(String) },
    });
});

test('the reference lists every metric with its type and help text', async () => {
  const text = await metricsOf(await startWithMetrics());
  const documented = [
    ...read('docs/reference/metrics.md').matchAll(/^\| `(\w+)(?:\{.*\})?` \| (\w+) \| (.+) \|$/gm),
  ]
    .map(([, name, type, help]) => `${name} ${type} ${help}`)
    .sort();
  const exported = [...text.matchAll(/^# HELP (parley_\w+) (.+)\n# TYPE \1 (\w+)$/gm)]
    .map(([, name, help, type]) => `${name} ${type} ${help}`)
    .sort();
  expect(exported.length).toBeGreaterThan(15);
  expect(documented).toEqual(exported);
});

test("names follow Prometheus' conventions: counters end in _total, units are base units", async () => {
  const text = await metricsOf(await startWithMetrics());
  const types = [...text.matchAll(/^# TYPE (parley_\w+) (\w+)$/gm)];
  for (const [, name = '', type] of types) {
    expect(name.endsWith('_total'), name).toBe(type === 'counter');
    if (type === 'histogram') expect(name).toMatch(/_(seconds|bytes)$/);
    expect(name).not.toMatch(/_(ms|millis|milliseconds|minutes|kb|percent)(_|$)/);
  }
});
