/** The number of Redis commands for a login while hundreds of accounts are online. */
import { expect, test } from 'vitest';
import { startNode, until } from '../../kit/app.ts';
import { call } from '../../kit/contract.ts';
import { watchCommands } from '../../kit/monitor.ts';
import { testStore } from '../../kit/store.ts';

const MAX_COMMANDS = 15;
const password = 'correct horse battery';

test('a login, a registration with tokens and a refresh cost at most 15 commands each', async () => {
  const node = await startNode();
  const store = await testStore(node.prefix);
  const { commands, keys } = store;
  const names = Array.from({ length: 500 }, (_, n) => `user-${n}`);
  await Promise.all(
    names.map((name) => commands.hset(keys.online(keys.shardOf(name)), name, '1795424391329 n')),
  );
  const logInAs = (username: string) => async () =>
    (await call(node, 'login', { body: { username, password } })).body;
  for (const username of ['alice', 'bob']) await call(node, 'register', { body: { username, password } });
  // With more than 100 sessions, each login would end one.
  await until('all are counted', async () => (await logInAs('bob')()).online.total === 500);
  const logIn = logInAs('alice');
  const monitor = await watchCommands(store, node.prefix);
  /** The smallest of five: heartbeats are counted too. The check every 2 s whether Redis takes writes is not. */
  async function cost(work: (n: number) => Promise<unknown>): Promise<number> {
    const counts = [];
    for (let n = 0; n < 5; n += 1) {
      const seen = await monitor.during(() => work(n));
      counts.push(seen.filter((args) => !args.includes(keys.realm)).length);
    }
    return Math.min(...counts);
  }
  let { refreshToken } = await logIn();
  expect(await cost(logIn)).toBeLessThanOrEqual(MAX_COMMANDS);
  const registration = (n: number) => ({ username: `new-${n}`, password, login: true });
  expect(await cost((n) => call(node, 'register', { body: registration(n) }))).toBeLessThanOrEqual(
    MAX_COMMANDS,
  );
  const refresh = async () => {
    const { body: next } = await call(node, 'refresh', { body: { refreshToken } });
    expect(next.online.users).toHaveLength(100);
    ({ refreshToken } = next);
  };
  expect(await cost(refresh)).toBeLessThanOrEqual(MAX_COMMANDS);
});
