/** The page while things break: reloads, restarts, messages that do not get through, copied tabs. */
import { expect, test } from 'vitest';
import { listen, person, say, startNode, type TestNode, tell } from '../../kit/app.ts';
import {
  connected,
  logIn,
  message,
  open,
  openWindow,
  register,
  sees,
  sharedBrowser,
  watch,
  write,
  writeTo,
} from '../../kit/browser.ts';
import { call } from '../../kit/contract.ts';

const theBrowser = sharedBrowser();

/** The same Parley, at the same address, after it was stopped. */
const startAgain = ({ address, prefix }: TestNode): Promise<TestNode> =>
  startNode({ PORT: String(address.port) }, { prefix });

test('a reload keeps the login and the talk that was open; the access token is nowhere but in memory', async () => {
  const node = await startNode();
  await person(node, 'bob');
  const alice = await openWindow(theBrowser(), node);
  await register(alice, 'alice');
  await writeTo(alice, 'bob');
  await write(alice, 'Hello bob');
  await alice.locator('#messages .message:not(:has(.foot))').waitFor();
  for (let reload = 1; reload <= 3; reload += 1) {
    await alice.reload();
    await connected(alice);
    await sees(alice, 'Hello bob');
  }
  const kept = (await alice.evaluate(
    'JSON.stringify([{ ...sessionStorage }, { ...localStorage }, document.cookie])',
  )) as string;
  expect(kept).toContain('refreshToken');
  expect(kept).not.toContain('accessToken');
  // What else is a JWT there lets nobody in.
  const types = (kept.match(/eyJ[\w-]+(?=\.)/g) ?? []).map((part) =>
    Buffer.from(part, 'base64url').toString(),
  );
  expect(types.filter((part) => part.includes('"alg"'))).toEqual([expect.stringContaining('device+jwt')]);
});

test('after a logout a reload leads to the door, and nothing is kept', async () => {
  const node = await startNode();
  const alice = await openWindow(theBrowser(), node);
  await register(alice, 'alice');
  await alice.getByRole('button', { name: 'Log out' }).click();
  await alice.getByLabel('Username').waitFor();
  expect(await alice.getByText('Your login has ended.').count()).toBe(0);
  await alice.reload();
  await alice.getByLabel('Username').waitFor();
  expect(await alice.evaluate('JSON.stringify({ ...sessionStorage })')).toBe('{}');
});

test('while others guess a password, a browser in which its owner has logged in before still lets them in', async () => {
  const node = await startNode({ LOGIN_LIMIT: '1/300' });
  const alice = await openWindow(theBrowser(), node);
  await register(alice, 'alice');
  await alice.getByRole('button', { name: 'Log out' }).click();
  await alice.getByLabel('Username').waitFor();
  const guess = () => call(node, 'login', { body: { username: 'alice', password: 'not her password' } });
  expect([(await guess()).status, (await guess()).status]).toEqual([401, 429]);
  const [tab] = await Promise.all([
    alice.context().waitForEvent('page'),
    alice.evaluate(`void window.open('/', '', 'noopener')`),
  ]);
  await logIn(tab, 'alice');
});

test('a password that everybody tries first is refused at the door, with the reason', async () => {
  const node = await startNode();
  const alice = await openWindow(theBrowser(), node);
  await alice.getByLabel('Username').fill('alice');
  await alice.getByLabel('Password').fill('password1');
  await alice.getByRole('button', { name: 'Create account' }).click();
  await alice.getByRole('alert').getByText('This password would be guessed').waitFor();
});

test('while the server is away the page says so; it comes back by itself and misses nothing', async () => {
  const node = await startNode();
  const bob = await person(node, 'bob');
  const alice = await openWindow(theBrowser(), node);
  await register(alice, 'alice');
  await tell(bob, 'alice', 'before');
  await writeTo(alice, 'bob');
  await sees(alice, 'before');
  await node.close();
  await alice.getByText('No connection.').waitFor();
  await alice.getByText(/Next try in \d+ s/).waitFor();
  const again = await startAgain(node);
  await tell({ ...bob, node: again }, 'alice', 'while she was away');
  await alice.getByText('Connected', { exact: true }).waitFor({ timeout: 20_000 });
  await sees(alice, 'while she was away');
  expect(await message(alice, 'before').count()).toBe(1);
});

test('what the stream leaves out is told, and read from the history', async () => {
  const node = await startNode();
  const other = await startNode({}, { prefix: node.prefix });
  const bob = await person(other, 'bob');
  const alice = await openWindow(theBrowser(), node);
  await register(alice, 'alice');
  await say(bob, 'before');
  await sees(alice, 'before');
  await node.close();
  for (const text of ['one', 'two', 'three']) await say(bob, text);
  await startNode({ PORT: String(node.address.port), REPLAY_LIMIT: '1' }, { prefix: node.prefix });
  await alice.getByRole('button', { name: 'Try now' }).click();
  await alice.getByText('Some messages did not come live.').waitFor();
  for (const text of ['before', 'one', 'two', 'three']) await sees(alice, text);
  await alice.getByRole('button', { name: 'All right' }).click();
  await connected(alice);
});

test('a message that was on its way when the page was reloaded arrives by itself, once', async () => {
  const node = await startNode();
  await person(node, 'bob');
  const alice = await openWindow(theBrowser(), node);
  await register(alice, 'alice');
  await writeTo(alice, 'bob');
  const stored = new Promise<void>((resolve) => {
    void alice.route('**/v1/dm/bob', async (route) => {
      if (route.request().method() !== 'POST') return route.continue();
      await route.fetch(); // and no answer ever comes
      resolve();
    });
  });
  await write(alice, 'On its way');
  await stored;
  await alice.unroute('**/v1/dm/bob');
  await alice.reload();
  await connected(alice);
  await alice.locator('#messages .message:not(:has(.foot))').waitFor();
  await alice.locator('#messages .foot').waitFor({ state: 'detached' });
  expect(await message(alice, 'On its way').count()).toBe(1);
});

test('a message that did not get through stays, over a reload too, and is stored once when it is tried again', async () => {
  const node = await startNode();
  const bob = await person(node, 'bob');
  const alice = await openWindow(theBrowser(), node);
  await register(alice, 'alice');
  await writeTo(alice, 'bob');
  // The server stores it; the answer is lost on the way.
  await alice.route('**/v1/dm/bob', async (route) => {
    if (route.request().method() === 'POST') await route.fetch();
    await route.abort();
  });
  await write(alice, 'Did this arrive?');
  await alice.getByText('Not sent. The server does not answer.').waitFor();
  await alice.unroute('**/v1/dm/bob');
  await alice.reload();
  await alice.getByText('Not sent. The server does not answer.').waitFor();
  await alice.getByRole('button', { name: 'Try again' }).first().click();
  await alice.locator('#messages .foot').waitFor({ state: 'detached' });
  await expect.poll(() => message(alice, 'Did this arrive?').count()).toBe(1);
  const stream = await listen(bob);
  expect((await stream.next('dm')).data.text).toBe('Did this arrive?');
  await tell(await person(node, 'carol'), 'bob', 'the next one');
  expect((await stream.next('dm')).data.text).toBe('the next one');
});

test('a draft stays with its talk', async () => {
  const node = await startNode();
  await person(node, 'bob');
  const alice = await openWindow(theBrowser(), node);
  await register(alice, 'alice');
  await writeTo(alice, 'bob');
  const field = alice.getByRole('textbox', { name: /^Message to/ });
  await field.fill('half a thou');
  await open(alice, 'Everybody');
  await expect.poll(() => field.inputValue()).toBe('');
  await open(alice, 'bob');
  await expect.poll(() => field.inputValue()).toBe('half a thou');
  await alice.reload();
  await connected(alice);
  await expect.poll(() => field.inputValue()).toBe('half a thou');
});

// "Duplicate tab" copies what a tab keeps. Both would present one refresh token, which ends the session for both.
test('a copied tab asks for a login of its own, and leaves the first one alone', async () => {
  const node = await startNode();
  const alice = await openWindow(theBrowser(), node);
  await register(alice, 'alice');
  const [copy] = await Promise.all([
    alice.context().waitForEvent('page'),
    alice.evaluate(`void window.open('/')`), // copies sessionStorage, as duplicating does
  ]);
  const complaints = watch(copy, node.url);
  await copy.getByText('This window is a copy of another one').waitFor();
  await register(copy, 'bob');
  await alice.locator('#people').getByText('bob').waitFor();
  await write(alice, 'still here');
  await sees(copy, 'still here');
  await alice.reload();
  await connected(alice);
  expect(complaints).toEqual([]);
});

test('a reload while a refresh has no answer yet keeps the login', async () => {
  const node = await startNode();
  const alice = await openWindow(theBrowser(), node);
  await register(alice, 'alice');
  let served = 0;
  await alice.route('**/v1/refresh', async (route) => {
    if ((await route.fetch()).status() === 200) served += 1;
    await route.abort();
  });
  await alice.reload();
  await expect.poll(() => served).toBeGreaterThan(0);
  await alice.unrouteAll({ behavior: 'ignoreErrors' });
  await alice.reload();
  await connected(alice);
});

test('a session that the server has ended leads to the door, which says why', async () => {
  const node = await startNode();
  const alice = await openWindow(theBrowser(), node);
  await register(alice, 'alice');
  const kept = (await alice.evaluate(
    `JSON.parse(sessionStorage.getItem('parley.session')).refreshToken`,
  )) as string;
  // Somebody else has used the token and the one after it: when the first comes again, nobody can tell who the owner is.
  const refresh = async (refreshToken: string): Promise<string> =>
    (await call(node, 'refresh', { body: { refreshToken } })).body.refreshToken;
  await refresh(await refresh(kept));
  await refresh(kept);
  await alice.getByText('Your login has ended.').waitFor();
  expect(await alice.evaluate(`sessionStorage.getItem('parley.session')`)).toBe(null);
});
