import { expect, test } from 'vitest';
import { InvalidRedisUrl, parseRedisUrl } from '../../src/redis-url.ts';

const plain = { isTls: false, database: 0 };

test.each([
  ['redis://h', { kind: 'server', host: 'h', port: 6379, ...plain }],
  ['redis://h/', { kind: 'server', host: 'h', port: 6379, ...plain }],
  ['redis://[::1]:7000/3', { kind: 'server', host: '::1', port: 7000, isTls: false, database: 3 }],
  ['rediss://h:1?db=2', { kind: 'server', host: 'h', port: 1, isTls: true, database: 2 }],
  [
    'redis://app:p%40%2F%23%3a@h:6380/1',
    {
      ...{ kind: 'server', host: 'h', port: 6380, isTls: false, database: 1 },
      login: { username: 'app', password: 'p@/#:' },
    },
  ],
  ['redis://:p:w@h', { kind: 'server', host: 'h', port: 6379, ...plain, login: { password: 'p:w' } }],
  ['unix:///run/redis.sock', { kind: 'socket', path: '/run/redis.sock', ...plain }],
  ['unix:/run/redis.sock', { kind: 'socket', path: '/run/redis.sock', ...plain }],
  [
    '/run/redis.sock?db=4&username=app&password=p%26w',
    {
      ...{ kind: 'socket', path: '/run/redis.sock', isTls: false, database: 4 },
      login: { username: 'app', password: 'p&w' },
    },
  ],
  [
    'redis+sentinel://user:pass@h1:26380,h2,[::1]:5/main?db=7&sentinel_username=s&sentinel_password=t',
    {
      kind: 'sentinel',
      sentinels: [
        { host: 'h1', port: 26380 },
        { host: 'h2', port: 26379 },
        { host: '::1', port: 5 },
      ],
      ...{ primary: 'main', isTls: false, database: 7 },
      login: { username: 'user', password: 'pass' },
      sentinelLogin: { username: 's', password: 't' },
    },
  ],
  [
    'rediss+sentinel://h/main/2',
    {
      ...{ kind: 'sentinel', sentinels: [{ host: 'h', port: 26379 }], primary: 'main' },
      ...{ isTls: true, database: 2 },
    },
  ],
  [
    'redis-sentinel://h/main',
    { kind: 'sentinel', sentinels: [{ host: 'h', port: 26379 }], primary: 'main', ...plain },
  ],
  [
    'redis+cluster://:p@a:1,b',
    {
      kind: 'cluster',
      nodes: [
        { host: 'a', port: 1 },
        { host: 'b', port: 6379 },
      ],
      ...plain,
      login: { password: 'p' },
    },
  ],
])('%s is read', (url, address) => {
  expect(parseRedisUrl(url)).toEqual(address);
});

const SECRET = 'hunter2';

test.each([
  ['no scheme', 'localhost:6379', /in one of the forms redis:\/\//],
  ['an unknown scheme', 'http://h', /in one of the forms/],
  ['nothing behind the scheme', 'redis://', /hosts and ports/],
  ['an @ in the password', `redis://:${SECRET}@x@h`, /percent-encoded/],
  ['a / in the password', `redis://:${SECRET}/x@h:1`, /percent-encoded/],
  ['a ? in the password', `redis://:${SECRET}?x@h:1`, /percent-encoded/],
  ['a # in the password', `redis://:${SECRET}#x@h:1`, /percent-encoded/],
  ['a % in the password', `redis://:${SECRET}%x@h:1`, /percent-encoded/],
  ['a password in place of the user', `redis://${SECRET}@h`, /both a user and a password/],
  ['a user without a password', 'redis://app:@h', /both a user and a password/],
  ['a database that is no number', 'redis://h/chat', /database is a number/],
  ['a negative database', 'redis://h/-1', /database is a number/],
  ['a port that is too large', 'redis://h:66666', /hosts and ports/],
  ['an IPv6 address without brackets', 'redis://::1:6379', /brackets/],
  ['two hosts', 'redis://a,b', /one host.*Sentinel/],
  ['a misspelled parameter', `redis://h?pasword=${SECRET}`, /only parameters are db, username, password/],
  ['a parameter that is given twice', 'redis://h?db=1&db=2', /each at most once/],
  ['a user parameter alone', 'redis://h?username=app', /password along with username/],
  ['a relative socket', 'unix://run/redis.sock', /absolute path/],
  ['Sentinel without a primary', `redis+sentinel://:${SECRET}@h`, /names the primary/],
  ['an empty host among Sentinels', 'redis+sentinel://a,,b/main', /hosts and ports/],
  ['a database of a cluster', 'redis+cluster://h/1', /database 0 only/],
])('%s is rejected with the cure, and without the password', (_, url, cure) => {
  let error: unknown;
  try {
    parseRedisUrl(url);
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toBeInstanceOf(InvalidRedisUrl);
  expect((error as Error).message).toMatch(cure);
  expect((error as Error).message).not.toContain(SECRET);
});

test('an unknown scheme is answered with the forms that are supported', () => {
  expect(() => parseRedisUrl('redsi://h')).toThrow(/redis:\/\/.*unix:.*redis\+sentinel:/);
  expect(() => parseRedisUrl('redsi://h')).not.toThrow(/cluster/);
});
