/** The server only serves its own hosts, so that a foreign name that resolves to it (DNS rebinding) gets nothing. */
import { describe, expect, test } from 'vitest';
import { readConfig } from '../../../src/config.ts';
import { createHostCheck } from '../../../src/hosts.ts';
import { person, sharedNode, startNode, type TestNode } from '../../kit/app.ts';
import { exchangeRaw, expectProblem, send, sendRaw } from '../../kit/http.ts';
import { freePort } from '../../kit/ports.ts';

const theNode = sharedNode();
const get = (node: { url: string }, ...heads: string[]) =>
  sendRaw(node, [...heads, 'Connection: close', '', ''].join('\r\n'));
const getWithHost = (node: { url: string }, host: string) =>
  get(node, 'GET /livez HTTP/1.1', `Host: ${host}`);

const verdict = (host: string, settings: Record<string, string> = {}) =>
  createHostCheck(readConfig(settings))(host);

const LOCAL = [
  'localhost',
  'LocalHost:3000',
  'localhost.',
  'chat.localhost',
  'a.b.LOCALHOST:1',
  '127.0.0.1:3000',
];
test.each([
  ...LOCAL,
  '127.8.9.10',
  '[::1]',
  '[::1]:3000',
  '[0:0:0:0:0:0:0:1]',
  '[::ffff:127.0.0.1]',
  '127.0.0.1:',
])('serves a loopback host: %s', (host) => expect(verdict(host)).toBe('served'));

const FOREIGN = [
  'evil.example',
  'evil.example:3000',
  'localhost.evil.example',
  'notlocalhost',
  '127.0.0.1.evil.example',
];
test.each([
  ...FOREIGN,
  '127.1',
  '2130706433',
  '0x7f.0.0.1',
  '0.0.0.0',
  '192.168.1.7',
  '[fe80::1]',
  '128.0.0.1',
  '*',
])('does not serve any other host: %s', (host) => expect(verdict(host)).toBe('foreign'));

test.each([
  '',
  ' ',
  ':80',
  'a b',
  'a/b',
  'user@localhost',
  'localhost:x',
  'localhost:1:2',
  'localhost:65536',
  '[::1',
  '::1',
  '[]',
])('%j is not a valid host', (host) => expect(verdict(host)).toBe('invalid'));

test('serves HOST and HOSTS on any port and in any spelling', () => {
  const settings = { HOST: '2001:DB8::7', HOSTS: 'Chat.Example, müller.example, 10.0.0.7,[2001:db8::8]' };
  const served = [
    '[2001:db8:0::7]:3000',
    'chat.example.',
    'CHAT.EXAMPLE:8080',
    'xn--mller-kva.example',
    '10.0.0.7',
    '[2001:db8::8]',
  ];
  for (const host of served) expect(verdict(host, settings), host).toBe('served');
  for (const host of ['x.chat.example', 'example', '10.0.0.8'])
    expect(verdict(host, settings), host).toBe('foreign');
});

test('a server on all interfaces serves any IP address, but no foreign name', () => {
  for (const HOST of ['0.0.0.0', '::', '0:0:0:0:0:0:0:0']) {
    for (const host of ['192.168.1.7:3000', '203.0.113.9', '[2001:db8::1]:3000'])
      expect(verdict(host, { HOST })).toBe('served');
    expect(verdict('evil.example', { HOST })).toBe('foreign');
  }
});

test('HOSTS=* serves every valid host', () => {
  expect(verdict('evil.example', { HOSTS: '*' })).toBe('served');
  expect(verdict('a b', { HOSTS: '*' })).toBe('invalid');
});

test.each(['chat.example:443', 'https://chat.example', 'a b', '*.example', 'a..b'])(
  'HOSTS rejects %j',
  (HOSTS) => expect(() => readConfig({ HOSTS })).toThrow(/HOSTS must be host names/),
);

describe('a request for a host that is not served', () => {
  test('is rejected on every path, and changes nothing', async () => {
    const node = theNode();
    const { token } = await person(node, 'alice');
    const headers = { Host: 'evil.example', Origin: 'http://evil.example' };
    for (const [method, path] of [
      ...[
        ['GET', '/v1/me'],
        ['GET', '/livez'],
        ['GET', '/'],
        ['GET', '/docs'],
        ['GET', '/openapi.yaml'],
      ],
      ...[
        ['GET', '/v1/events'],
        ['POST', '/v1/logout'],
        ['GET', '/nothing'],
        ['OPTIONS', '/v1/me'],
      ],
    ] as const) {
      const answer = await send(node, method!, path!, { token, headers });
      expectProblem(answer, 'misdirected_request');
      expect(answer.body.detail).toContain(
        'the host evil.example. If it should, add it to the setting HOSTS',
      );
      expect(answer.headers).not.toHaveProperty('access-control-allow-origin');
    }
    expect((await send(node, 'GET', '/v1/me', { token })).status).toBe(200);
  });

  test('is rejected when a target in absolute form names the host', async () => {
    const node = theNode();
    const foreign = await get(node, 'GET http://evil.example/livez HTTP/1.1', 'Host: localhost');
    expectProblem(foreign, 'misdirected_request');
    expectProblem(
      await get(node, 'GET http://localhost/livez HTTP/1.1', 'Host: evil.example'),
      'misdirected_request',
    );
  });

  test('keeps its connection open, because the next request may be for a served host', async () => {
    const output = await exchangeRaw(
      theNode(),
      'GET /livez HTTP/1.1\r\nHost: evil.example\r\n\r\n' +
        'GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
    );
    expect(output.match(/(?<=HTTP\/1\.1 )\d+/g)).toEqual(['421', '200']);
  });
});

describe('Host', () => {
  const missing = (version: string) => get(theNode(), `GET /livez HTTP/${version}`);

  test('is required since HTTP/1.1', async () => {
    expectProblem(await missing('1.1'), 'validation_failed', 'header/Host');
    expect((await missing('1.0')).status).toBe(200);
    const stream = await get(theNode(), 'GET /v1/events HTTP/1.1');
    expectProblem(stream, 'validation_failed', 'header/Host');
  });

  test.each([
    ['Host: localhost', 'Host: localhost'],
    ['Host: localhost', 'host: evil.example'],
    ['HOST: evil.example', 'hOsT: localhost'],
    ['Host: localhost', ...Array.from({ length: 2_500 }, () => 'a:'), 'Host: evil.example'],
  ])('must be sent only once: %s and another', async (...hosts) => {
    const answer = await get(theNode(), 'GET /livez HTTP/1.1', ...hosts);
    expectProblem(answer, 'validation_failed', 'header/Host');
    expect(answer.headers['connection']).toBe('close');
  });

  test.each(['', 'a b', 'user@localhost', 'localhost:http', '\u00ff'])('must be valid: %j', async (host) => {
    expectProblem(await getWithHost(theNode(), host), 'validation_failed', 'header/Host');
  });
});

test('a node serves requests for the names in HOSTS', async () => {
  const node = await startNode({ HOSTS: 'chat.example' });
  expect((await getWithHost(node, 'chat.example:443')).status).toBe(200);
  expectProblem(await getWithHost(node, 'other.example'), 'misdirected_request');
});

describe('the metrics port', () => {
  async function metricsOf(): Promise<{ url: string }> {
    const node: TestNode = await startNode({ METRICS_PORT: String(await freePort()) });
    return { url: `http://127.0.0.1:${node.metricsAddress?.port}` };
  }

  test('serves GET and HEAD of /metrics, and nothing else', async () => {
    const metrics = await metricsOf();
    expect((await send(metrics, 'GET', '/metrics')).text).toContain('parley_requests_total');
    expect((await send(metrics, 'GET', '/metrics?x')).status).toBe(200);
    expect(await send(metrics, 'HEAD', '/metrics')).toMatchObject({ status: 200, text: '' });
    const posted = await send(metrics, 'POST', '/metrics');
    expect([posted.status, posted.headers['allow']]).toEqual([405, 'GET, HEAD']);
    for (const path of ['/', '/metrics/', '/nothing', '//metrics'])
      expect((await send(metrics, 'GET', path)).status).toBe(404);
  });

  test('serves only the hosts of the node', async () => {
    const metrics = await metricsOf();
    expect((await send(metrics, 'GET', '/metrics', { headers: { Host: 'localhost' } })).status).toBe(200);
    const foreign = await send(metrics, 'GET', '/metrics', { headers: { Host: 'evil.example' } });
    expect([foreign.status, foreign.text.includes('parley_')]).toEqual([421, false]);
  });
});
