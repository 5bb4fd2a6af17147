/** Two people chat in two browsers. */
import { expect, test } from 'vitest';
import { createParley } from '../../../clients/sdk/src/index.ts';
import { person, say, sharedNode, startNode, tell, until } from '../../kit/app.ts';
import {
  logIn,
  message,
  messages,
  open,
  openWindow,
  PASSWORD,
  register,
  sees,
  sharedBrowser,
  write,
  writeTo,
} from '../../kit/browser.ts';

const theBrowser = sharedBrowser();
const theNode = sharedNode();

test('two people talk to everybody and to one another', async () => {
  const node = await startNode();
  const alice = await openWindow(theBrowser(), node);
  const bob = await openWindow(theBrowser(), node);
  await register(alice, 'alice');
  await register(bob, 'bob');
  await alice.locator('#people').getByText('bob').waitFor();

  await write(alice, 'Good morning!');
  await sees(alice, 'Good morning!');
  await sees(bob, 'Good morning!');

  await alice.locator('#people').getByText('bob').click();
  await write(alice, 'Lunch at noon?');
  await sees(alice, 'Lunch at noon?');
  await open(bob, 'alice');
  await sees(bob, 'Lunch at noon?');
  expect(await message(bob, 'Good morning!').count()).toBe(0);
  await write(bob, 'Gladly.\nWhere?');
  await sees(alice, 'Gladly.\nWhere?');
});

test('what is written right after a click goes to the one who was clicked, not to everybody', async () => {
  const node = await startNode();
  const alice = await openWindow(theBrowser(), node);
  await register(alice, 'alice');
  const bob = createParley({ baseUrl: node.url });
  await bob.register({ username: 'bob', password: PASSWORD });
  await bob.login({ username: 'bob', password: PASSWORD });
  await bob.sendDirect('alice', 'Hi');
  await alice.locator('#talks a[href="#/with/bob"]').waitFor();
  // In one task: what the page does at once is done, and hashchange was not told yet.
  await alice.evaluate(`(async () => {
    document.querySelector('#talks a[href="#/with/bob"]').click();
    await undefined;
    const field = document.querySelector('#text');
    field.value = 'Between us';
    field.dispatchEvent(new Event('input'));
    field.form.requestSubmit();
  })()`);
  await until('it was sent', async () => (await bob.getMailbox()).data?.messages.length === 1);
  expect((await bob.listBroadcasts()).data?.messages).toEqual([]);
  await sees(alice, 'Between us');
});

test('who goes offline leaves the list, and finds what was sent meanwhile when they come back', async () => {
  const node = await startNode();
  const alice = await openWindow(theBrowser(), node);
  const bob = await openWindow(theBrowser(), node);
  await register(alice, 'alice');
  await register(bob, 'bob');
  const entry = alice.locator('#people').getByText('bob');
  await entry.waitFor();
  await bob.getByRole('button', { name: 'Log out' }).click();
  await bob.getByLabel('Username').waitFor();
  await entry.waitFor({ state: 'detached', timeout: 10_000 });

  await writeTo(alice, 'bob');
  await alice.getByText('Last seen').waitFor();
  await write(alice, 'Are you there?');
  await write(alice, 'Call me.');
  await sees(alice, 'Call me.');

  await logIn(bob, 'bob');
  await bob.getByRole('link', { name: /alice.*unread: 2/ }).waitFor();
  expect(await bob.title()).toMatch(/^\(2\) /);
  await open(bob, 'alice');
  await sees(bob, 'Are you there?');
  await sees(bob, 'Call me.');
  await bob.getByText('unread: 2').waitFor({ state: 'detached' });
  await entry.waitFor();
});

test('a message is acknowledged once it was seen, and not before', async () => {
  const node = await startNode();
  const [carol, dave] = [await person(node, 'carol'), await person(node, 'dave')];
  const alice = await openWindow(theBrowser(), node);
  await register(alice, 'alice');
  const phone = createParley({ baseUrl: node.url });
  await phone.login({ username: 'alice', password: PASSWORD });
  const waiting = async () => (await phone.getMailbox()).data?.messages.map(({ text }) => text);

  await tell(carol, 'alice', 'first, from carol');
  await tell(dave, 'alice', 'second, from dave');
  await alice.getByRole('link', { name: /carol.*unread: 1/ }).waitFor();
  await open(alice, 'dave');
  await sees(alice, 'second, from dave');
  // The server knows one place in the inbox, and carol's message before it was not seen.
  await expect(alice.waitForRequest('**/mailbox/ack', { timeout: 800 })).rejects.toThrow('Timeout');
  expect(await waiting()).toEqual(['first, from carol', 'second, from dave']);
  await alice.reload();
  await alice.getByRole('link', { name: /carol.*unread: 1/ }).waitFor();
  await alice.getByRole('link', { name: /dave/ }).waitFor();
  expect(await alice.getByRole('link', { name: /dave.*unread/ }).count()).toBe(0);

  await open(alice, 'carol');
  await sees(alice, 'first, from carol');
  await until('both are acknowledged', async () => (await waiting())?.length === 0);
});

test('what another device acknowledged is not unread here any more', async () => {
  const node = await startNode();
  const carol = await person(node, 'carol');
  const alice = await openWindow(theBrowser(), node);
  await register(alice, 'alice');
  const phone = createParley({ baseUrl: node.url });
  await phone.login({ username: 'alice', password: PASSWORD });
  const { body } = await tell(carol, 'alice', 'Hi');
  await alice.getByRole('link', { name: /carol.*unread: 1/ }).waitFor();
  await phone.ackMailbox(body.id);
  await alice.getByText('unread: 1').waitFor({ state: 'detached' });
});

test('older messages come as somebody scrolls up, and what is read does not move', async () => {
  const node = await startNode();
  const bob = await person(node, 'bob');
  for (let n = 1; n <= 130; n += 1) await say(bob, `message ${n}`);
  const alice = await openWindow(theBrowser(), node);
  await register(alice, 'alice');
  await sees(alice, 'message 130');
  expect(await message(alice, 'message 130').isVisible()).toBe(true);

  /** Scrolls, and answers which message is at the top and where it stands; all before anything can load. */
  const scrollUp = () =>
    alice.evaluate(`(() => {
      const scroller = document.querySelector('#scroller');
      scroller.scrollTop = 200;
      const first = [...document.querySelectorAll('.text')].find((each) => each.getBoundingClientRect().top > 100);
      return { text: first.textContent, top: first.getBoundingClientRect().top };
    })()`) as Promise<{ text: string; top: number }>;
  for (const oldest of ['message 31', 'message 1']) {
    await alice.waitForFunction(`document.querySelectorAll('#messages .message').length >= 50`);
    const { text, top } = await scrollUp();
    await sees(alice, oldest);
    const box = await message(alice, text).boundingBox();
    expect(Math.abs(box!.y - top), `${text} moved`).toBeLessThan(2);
  }
  await alice.evaluate(`document.querySelector('#scroller').scrollTop = 0`);
  await alice.getByText('The beginning').waitFor();
  expect(await messages(alice).locator('.message').count()).toBe(130);

  // Something new does not tear the reader away, but is told.
  await say(bob, 'something new');
  await alice.getByRole('button', { name: 'New messages' }).click();
  await alice.waitForFunction(
    `document.querySelector('#messages li:last-child').getBoundingClientRect().bottom < innerHeight`,
  );
});

test('a name that nobody has is told at the field; a wrong password at the door', async () => {
  const alice = await openWindow(theBrowser(), theNode());
  await register(alice, 'zoe');
  await alice.getByRole('searchbox').fill('nobody-at-all');
  await alice.keyboard.press('Enter');
  await alice.getByText('There is nobody with this username.').waitFor();
  await alice.getByRole('button', { name: 'Log out' }).click();
  await alice.getByLabel('Username').fill('zoe');
  await alice.getByLabel('Password').fill('not the password');
  await alice.keyboard.press('Enter');
  await alice.getByRole('alert').getByText('the password is wrong').waitFor();
  await alice.getByLabel('Password').fill(PASSWORD);
  await alice.keyboard.press('Enter');
  await alice.getByText('Connected', { exact: true }).waitFor();
});
