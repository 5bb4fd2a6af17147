/** What /metrics says beside counts. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { listen, person, startNode, until } from '../support/app.ts';
import { call } from '../support/contract.ts';
import { send } from '../support/http.ts';
import { freePort } from '../support/process.ts';

test('shows the duration of requests by operation, without streams, and which build is running', async () => {
  const node = await startNode({ METRICS_PORT: String(await freePort()) });
  const alice = await person(node, 'alice');
  await call(node, 'getMe', { token: alice.token });
  const stream = await listen(alice);
  stream.close();
  const metrics = { url: `http://127.0.0.1:${node.metricsAddress?.port}` };
  let text = '';
  await until('the stream was counted', async () => {
    ({ text } = await send(metrics, 'GET', '/metrics'));
    return text.includes('parley_requests_total{operation="openStream"');
  });
  expect(text).toContain('parley_request_duration_seconds_count{operation="getMe"} 1\n');
  expect(text).toContain('parley_request_duration_seconds_bucket{le="5",operation="getMe"} 1\n');
  expect(text).not.toContain('parley_request_duration_seconds_count{operation="openStream"}');
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  expect(text).toContain(`parley_build_info{version="${version}",node_version="${process.version}"} 1\n`);
});

test('exports every metric that the Grafana dashboard asks for', async () => {
  const node = await startNode({ METRICS_PORT: String(await freePort()) });
  const metrics = { url: `http://127.0.0.1:${node.metricsAddress?.port}` };
  const { text } = await send(metrics, 'GET', '/metrics');
  const dashboard = readFileSync(new URL('../../deploy/grafana/parley.json', import.meta.url), 'utf8');
  const asked = new Set(dashboard.match(/\b(parley|nodejs|process)_\w+/g));
  const missing = [...asked].filter((name) => !text.includes(`# TYPE ${name.replace(/_bucket$/, '')} `));
  expect(asked.size).toBeGreaterThan(10);
  expect(missing).toEqual([]);
});
