import { expect, test } from 'vitest';
import {
  needsReconnect,
  StoreFull,
  StoreUnavailable,
  toStoreError,
} from '../../../src/store/redis/error-replies.ts';

const reply = (message: string) => Object.assign(new Error(message), { name: 'ReplyError' });

test.each([
  ['READONLY You can not write against a read only replica. script: x, on @user_script:1.', 'reconnect'],
  ['MASTERDOWN Link with MASTER is down', 'reconnect'],
  ['UNBLOCKED force unblock from blocking operation, instance state changed', 'reconnect'],
  ['REDIRECT 127.0.0.1:6380', 'reconnect'],
  ['NOAUTH Authentication required.', 'reconnect'],
  ['WRONGPASS invalid username-password pair', 'reconnect'],
  ['LOADING Redis is loading the dataset in memory', '503'],
  ['BUSY Redis is busy running a script', '503'],
  ['UNKILLABLE Sorry the script already executed write commands', '503'],
  ['MISCONF Redis is configured to save RDB snapshots', '503'],
  ['NOREPLICAS Not enough good replicas to write.', '503'],
  ['NOPERM this user has no permissions to run the command', '503'],
  ["ERR The user executing the script can't run this command or subcommand script: x", '503'],
  ['DENIED Redis is running in protected mode', '503'],
  ['EXECABORT Transaction discarded because of previous errors.', '503'],
  ['CLUSTERDOWN The cluster is down', '503'],
  ['MOVED 7045 127.0.0.1:44001', '503'],
  ['ASK 7045 127.0.0.1:44001', '503'],
  ['TRYAGAIN Multiple keys request during rehashing of slot', '503'],
  ['ERR max number of clients reached', '503'],
  ["OOM command not allowed when used memory > 'maxmemory'.", '507'],
  ['WRONGTYPE Operation against a key holding the wrong kind of value', 'bug'],
  ['ERR unknown command', 'bug'],
  ['ERR READONLY is only a word here', 'bug'],
])('%s: %s', (message, reaction) => {
  const error = toStoreError(reply(message));
  expect(error instanceof StoreUnavailable).toBe(reaction !== 'bug');
  expect(error instanceof StoreFull).toBe(reaction === '507');
  expect(needsReconnect(reply(message))).toBe(reaction === 'reconnect');
});

test('reports an aborted transaction as the error of its commands', () => {
  const aborted = (reasons: string[]) =>
    toStoreError(
      Object.assign(reply('EXECABORT Transaction discarded'), { previousErrors: reasons.map(reply) }),
    );
  expect(aborted(['OOM command not allowed', 'LOADING x'])).toBeInstanceOf(StoreFull);
  expect(aborted(['LOADING x'])).toBeInstanceOf(StoreUnavailable);
  expect(aborted(['LOADING x', 'ERR syntax error'])).not.toBeInstanceOf(StoreUnavailable);
});

test('treats an error that is not a reply as a connection failure, unless it is a bug or about a file', () => {
  expect(toStoreError(new Error('Connection is closed.'))).toBeInstanceOf(StoreUnavailable);
  const bugs = [new TypeError('x'), Object.assign(new Error('EMFILE'), { path: '/x' }), new StoreFull('x')];
  for (const bug of bugs) expect(toStoreError(bug)).toBe(bug);
});
