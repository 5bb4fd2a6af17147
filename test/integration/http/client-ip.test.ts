/** Which client addresses count as one network. */
import { describe, expect, test } from 'vitest';
import { networksOf } from '../../../src/http/client-ip.ts';
import { startNode } from '../../kit/app.ts';
import { send } from '../../kit/http.ts';
import { recorder } from '../../kit/log.ts';

describe('an address is mapped to the smallest network that one client controls', () => {
  test.each([
    ['192.0.2.1', '192.0.2.1'],
    ['127.0.0.1', '127.0.0.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::FFFF:192.0.2.1', '192.0.2.1'],
    ['::ffff:c000:201', '192.0.2.1'],
    ['0:0:0:0:0:ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:0DB8:0001:0002::', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['2001:db8::5:6:7:8', '2001:db8:0:0::/64'],
    ['2001:db8:1::', '2001:db8:1:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['::', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['1::4:5:6:192.0.2.1', '1:0:0:4::/64'],
    ['192.0.2.1:1234', '192.0.2.1'],
    ['[2001:db8:1:2::3]:1234', '2001:db8:1:2::/64'],
    ['[::1]', '0:0:0:0::/64'],
    ['', 'unknown'],
    ['unknown', 'unknown'],
    ['not an address', 'unknown'],
    ['192.0.2.1.5', 'unknown'],
    ['1:2:3', 'unknown'],
  ])('%j counts as %j', (address, network) =>
    expect(networksOf(address)[0]).toEqual({ key: network, factor: 1 }),
  );
});

test.each([
  ['2001:db8:1:2ff::1', ['2001:db8:1:2ff::/64', '2001:db8:1:200::/56', '2001:db8:1::/48']],
  ['2001:db8:1:2::1', ['2001:db8:1:2::/64', '2001:db8:1:0::/56', '2001:db8:1::/48']],
  ['192.0.2.1', ['192.0.2.1']],
  ['::ffff:192.0.2.1', ['192.0.2.1']],
])('%j belongs to %j, and wider networks have higher limits', (address, keys) => {
  expect(networksOf(address)).toEqual(keys.map((key, n) => ({ key, factor: [1, 4, 16][n] })));
});

/** Registers once with each of these X-Forwarded-For headers; one registration is allowed per address. */
async function statuses(trustProxy: string, forwarded: string[]): Promise<number[]> {
  const node = await startNode({ TRUST_PROXY: trustProxy, REGISTER_LIMIT: '1/3600' });
  const all = [];
  for (const [n, value] of forwarded.entries()) {
    const body = { username: `user-${n}`, password: 'correct horse battery' };
    all.push(
      (await send(node, 'POST', '/v1/register', { headers: { 'X-Forwarded-For': value }, body })).status,
    );
  }
  return all;
}

test('X-Forwarded-For is ignored without TRUST_PROXY', async () => {
  expect(await statuses('false', ['192.0.2.1', '192.0.2.2', '2001:db8::1'])).toEqual([201, 429, 429]);
});

test('with TRUST_PROXY=1 the last address of X-Forwarded-For counts, and those before it are ignored', async () => {
  expect(await statuses('1', ['192.0.2.1', '192.0.2.2'])).toEqual([201, 201]);
  expect(await statuses('1', ['198.51.100.1, 192.0.2.1', '198.51.100.2, 192.0.2.1', '192.0.2.1'])).toEqual([
    ...[201, 429, 429],
  ]);
});

test('with proxy addresses in TRUST_PROXY, the last address that is not a trusted proxy counts', async () => {
  const trusted = 'loopback, 10.0.0.0/8';
  expect(await statuses(trusted, ['192.0.2.1, 10.1.2.3', '192.0.2.2, 10.1.2.3'])).toEqual([201, 201]);
  expect(await statuses(trusted, ['1.1.1.1, 192.0.2.1, 10.1.2.3', '2.2.2.2, 192.0.2.1'])).toEqual([201, 429]);
});

test('all addresses of an IPv6 /64 count as one, and IPv4-mapped addresses count as IPv4', async () => {
  expect(await statuses('1', ['2001:db8:0:1::1', '2001:db8:0:1:ffff::2', '2001:db8:0:2::1'])).toEqual([
    ...[201, 429, 201],
  ]);
  expect(await statuses('1', ['192.0.2.1', '::ffff:192.0.2.1', '::ffff:192.0.2.2'])).toEqual([201, 429, 201]);
});

test('an IPv6 /56 gets four times the limit of a /64, and a /48 sixteen times', async () => {
  const from = (networks: number[]) => networks.map((n) => `2001:db8:0:${n.toString(16)}::1`);
  expect(await statuses('1', from([0, 1, 2, 3, 4]))).toEqual([201, 201, 201, 201, 429]);
  const ofManyHouseholds = Array.from({ length: 17 }, (_, n) => n * 256);
  expect(await statuses('1', from(ofManyHouseholds))).toEqual([...Array(16).fill(201), 429]);
});

test('rejected requests of a network do not count towards the wider networks', async () => {
  const refused = Array(9).fill('2001:db8:0:1::1');
  expect(await statuses('1', [...refused, '2001:db8:0:2::1', '2001:db8:0:3::1'])).toEqual([
    ...[201, ...Array(8).fill(429)],
    ...[201, 201],
  ]);
});

describe('the log warns when TRUST_PROXY makes limits per network ineffective', () => {
  const warnings = async (trustProxy: string): Promise<string[]> => {
    const { log, lines } = recorder();
    const node = await startNode({ TRUST_PROXY: trustProxy }, { log });
    for (const address of ['192.0.2.1', '192.0.2.2'])
      await send(node, 'GET', '/livez', { headers: { 'X-Forwarded-For': address } });
    return lines().flatMap(({ level, msg }) => (level === 'warn' ? [String(msg)] : []));
  };

  test('at start-up, if every address is trusted', async () => {
    expect(await warnings('true')).toEqual([expect.stringMatching(/^TRUST_PROXY=true trusts/)]);
  });

  test('once, if X-Forwarded-For is received but no proxy is trusted', async () => {
    expect(await warnings('false')).toEqual([expect.stringMatching(/^received X-Forwarded-For/)]);
  });

  test('not at all, if the proxies are configured', async () => {
    expect(await warnings('1')).toEqual([]);
  });
});
