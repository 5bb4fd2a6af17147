import { expect, test } from 'vitest';
import { parseRedisUrl } from '../../../src/redis-url.ts';
import { explain } from '../../../src/store/redis/connect-errors.ts';
import { judgeServer, warningsOf } from '../../../src/store/redis/server-check.ts';

const address = parseRedisUrl('redis://app:hunter2@h:26379/3');

test.each([
  ['a suitable server', { version: '7.0.15', mode: 'standalone', role: 'master' }, undefined],
  ['a server about which nothing is known', {}, undefined],
  ['a server that is too old', { version: '6.2.14' }, /6\.2\.14 is too old.*7\.0/],
  ['a Sentinel', { version: '7.0.15', mode: 'sentinel' }, /redis\+sentinel:\/\/h:26379\/primary-name/],
  ['a node of a cluster', { version: '7.0.15', mode: 'cluster' }, /Redis Cluster.*cluster-enabled no/],
  ['a replica', { version: '7.0.15', role: 'slave' }, /replica.*primary/],
  ['a replica of Valkey', { version: '8.1.0', role: 'replica' }, /replica.*primary/],
])('%s: returns the expected verdict', (_, facts, refusal) => {
  if (refusal) expect(judgeServer(facts, address)).toMatch(refusal);
  else expect(judgeServer(facts, address)).toBeUndefined();
});

const info = (fields: Record<string, string>) =>
  Object.entries({ maxmemory_policy: 'noeviction', aof_enabled: '1', ...fields })
    .map(([name, value]) => `${name}:${value}\r\n`)
    .join('');

test.each([
  ['a suitable server', {}, false, []],
  ['a server that evicts', { maxmemory_policy: 'allkeys-lru' }, false, [/VANISH.*noeviction/]],
  ['a server without an append-only file', { aof_enabled: '0' }, false, [/LOSES MESSAGES.*appendonly/]],
  ['a private server that is known to be in memory only', { aof_enabled: '0' }, true, []],
])('%s: returns the expected warnings', (_, fields, isEphemeral, warnings) => {
  const given = warningsOf(info(fields), isEphemeral);
  expect(given).toHaveLength(warnings.length);
  for (const [index, warning] of warnings.entries()) expect(given[index]).toMatch(warning);
});

const failure = (message: string, code?: string) => Object.assign(new Error(message), code ? { code } : {});

test.each([
  [failure('getaddrinfo ENOTFOUND h', 'ENOTFOUND'), /cannot be resolved/],
  [failure('connect ECONNREFUSED 127.0.0.1:1', 'ECONNREFUSED'), /nothing answers there/],
  [failure('connect ENOENT /x.sock', 'ENOENT'), /no such socket/],
  [failure('self-signed certificate', 'DEPTH_ZERO_SELF_SIGNED_CERT'), /NODE_EXTRA_CA_CERTS/],
  [failure('wrong version number', 'EPROTO'), /redis:\/\/ instead of rediss:/],
  [failure('Connection is closed.'), /rediss:\/\/ if it uses TLS/],
  [failure('NOAUTH HELLO must be called'), /requires a password/],
  [failure('WRONGPASS invalid username-password pair'), /rejects the user or the password/],
  [failure('ERR DB index is out of range'), /no database with this number/],
  [failure('no Sentinel answers: connect ECONNREFUSED'), /the Sentinels run/],
  [failure("ERR The user executing the script can't publish"), /lacks a permission/],
  [failure('something else'), /cannot be used: something else/],
])('%s is explained, without the password', (error, cure) => {
  expect(explain(error, address).message).toMatch(cure);
  expect(explain(error, address).message).toContain('h:26379/3');
  expect(explain(error, address).message).not.toContain('hunter2');
});

test('the error for a host with several addresses contains the errors of all addresses', () => {
  const both = Object.assign(
    new AggregateError([
      new Error('connect ECONNREFUSED ::1:1'),
      new Error('connect ECONNREFUSED 127.0.0.1:1'),
    ]),
    { code: 'ECONNREFUSED' },
  );
  expect(explain(both, address).message).toMatch(
    /nothing answers there.*::1:1, connect ECONNREFUSED 127\.0\.0\.1:1/,
  );
});
