/** Whose attempts are counted together. */
import { describe, expect, test } from 'vitest';
import { networksOf } from '../../src/http/client-ip.ts';
import { startNode } from '../support/app.ts';
import { send } from '../support/http.ts';
import { recorder } from '../support/log.ts';

describe('an address stands for what one household or attacker holds', () => {
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
  ])('%j is counted as %j', (address, network) =>
    expect(networksOf(address)[0]).toEqual({ key: network, factor: 1 }),
  );
});

test.each([
  ['2001:db8:1:2ff::1', ['2001:db8:1:2ff::/64', '2001:db8:1:200::/56', '2001:db8:1::/48']],
  ['2001:db8:1:2::1', ['2001:db8:1:2::/64', '2001:db8:1:0::/56', '2001:db8:1::/48']],
  ['192.0.2.1', ['192.0.2.1']],
  ['::ffff:192.0.2.1', ['192.0.2.1']],
])('%j belongs to %j, and the wider network has the larger limit', (address, keys) => {
  expect(networksOf(address)).toEqual(keys.map((key, n) => ({ key, factor: [1, 4, 16][n] })));
});

/** Registers once from each of these X-Forwarded-For headers, one registration allowed per address. */
async function statuses(trustProxy: string, forwarded: string[]): Promise<number[]> {
  const node = await startNode({ TRUST_PROXY: trustProxy, REGISTER_LIMIT: '1/3600' });
  const found = [];
  for (const [n, value] of forwarded.entries()) {
    const body = { username: `user-${n}`, password: 'correct horse battery' };
    found.push(
      (await send(node, 'POST', '/v1/register', { headers: { 'X-Forwarded-For': value }, body })).status,
    );
  }
  return found;
}

test('without TRUST_PROXY X-Forwarded-For is only a claim: it does not help', async () => {
  expect(await statuses('false', ['192.0.2.1', '192.0.2.2', '2001:db8::1'])).toEqual([201, 429, 429]);
});

test('behind one proxy the address is the one that the proxy saw; what the client claims before it does not help', async () => {
  expect(await statuses('1', ['192.0.2.1', '192.0.2.2'])).toEqual([201, 201]);
  expect(await statuses('1', ['198.51.100.1, 192.0.2.1', '198.51.100.2, 192.0.2.1', '192.0.2.1'])).toEqual([
    ...[201, 429, 429],
  ]);
});

test('behind proxies that are named by their addresses it is the first that is none of them', async () => {
  const trusted = 'loopback, 10.0.0.0/8';
  expect(await statuses(trusted, ['192.0.2.1, 10.1.2.3', '192.0.2.2, 10.1.2.3'])).toEqual([201, 201]);
  expect(await statuses(trusted, ['1.1.1.1, 192.0.2.1, 10.1.2.3', '2.2.2.2, 192.0.2.1'])).toEqual([201, 429]);
});

test('of an IPv6 network of 64 bits all addresses are one; IPv4 in IPv6 is IPv4', async () => {
  expect(await statuses('1', ['2001:db8:0:1::1', '2001:db8:0:1:ffff::2', '2001:db8:0:2::1'])).toEqual([
    ...[201, 429, 201],
  ]);
  expect(await statuses('1', ['192.0.2.1', '::ffff:192.0.2.1', '::ffff:192.0.2.2'])).toEqual([201, 429, 201]);
});

test('a household with many IPv6 networks of 64 bits gets four times as much as with one, a site sixteen times', async () => {
  const from = (networks: number[]) => networks.map((n) => `2001:db8:0:${n.toString(16)}::1`);
  expect(await statuses('1', from([0, 1, 2, 3, 4]))).toEqual([201, 201, 201, 201, 429]);
  const ofManyHouseholds = Array.from({ length: 17 }, (_, n) => n * 256);
  expect(await statuses('1', from(ofManyHouseholds))).toEqual([...Array(16).fill(201), 429]);
});

test('a network that is refused does not use up what the wider ones have', async () => {
  const refused = Array(9).fill('2001:db8:0:1::1');
  expect(await statuses('1', [...refused, '2001:db8:0:2::1', '2001:db8:0:3::1'])).toEqual([
    ...[201, ...Array(8).fill(429)],
    ...[201, 201],
  ]);
});

describe('what makes limits per network worthless is said in the log', () => {
  const warnings = async (trustProxy: string): Promise<string[]> => {
    const { log, lines } = recorder();
    const node = await startNode({ TRUST_PROXY: trustProxy }, { log });
    for (const address of ['192.0.2.1', '192.0.2.2'])
      await send(node, 'GET', '/livez', { headers: { 'X-Forwarded-For': address } });
    return lines().flatMap(({ level, msg }) => (level === 'warn' ? [String(msg)] : []));
  };

  test('that every address is believed, at the start', async () => {
    expect(await warnings('true')).toEqual([expect.stringMatching(/^TRUST_PROXY=true trusts/)]);
  });

  test('that a proxy in front is not known, once', async () => {
    expect(await warnings('false')).toEqual([expect.stringMatching(/^received X-Forwarded-For/)]);
  });

  test('nothing, where the proxies are known', async () => {
    expect(await warnings('1')).toEqual([]);
  });
});
