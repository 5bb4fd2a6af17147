/** What people are called on the page, and who is said to be there. */
import { expect, test } from 'vitest';
import { listen, type Person, person, say, startNode, tell } from '../../kit/app.ts';
import {
  connected,
  messages,
  open,
  openWindow,
  register,
  sees,
  sharedBrowser,
  type Window,
} from '../../kit/browser.ts';
import { call } from '../../kit/contract.ts';

const theBrowser = sharedBrowser();

const rename = (who: Person, displayName: string) =>
  call(who.node, 'updateMe', { token: who.token, body: { displayName } });

const plain = (text: string): string => text.replace(/[\u2068\u2069]/g, '');

/** With the space between them that is not seen. */
const textOf = async (page: Window, selector: string): Promise<string> =>
  (await page.locator(selector).innerText()).replace(/\s+/g, ' ').trim();

test('people are called what they call themselves, with the username beside it where that says something else', async () => {
  const node = await startNode();
  const [bob, carol] = [await person(node, 'bob'), await person(node, 'carol')];
  await rename(bob, 'Bob the Builder');
  await rename(carol, 'CAROL');
  await say(bob, 'said before');
  await say(carol, 'said after');
  const alice = await openWindow(theBrowser(), node);
  await register(alice, 'alice');
  await sees(alice, 'said before');
  const heads = messages(alice).locator('.head');
  await expect.poll(async () => (await heads.allInnerTexts()).join(' ')).toContain('Bob the Builder bob');
  expect(await heads.last().locator('.from').textContent()).toBe('CAROL');
  expect(await heads.last().locator('.username').textContent()).toBe('');

  await listen(bob); // who comes is named too
  const present = alice.locator('#people').getByRole('link', { name: 'Bob the Builder bob' });
  await present.waitFor();
  await tell(bob, 'alice', 'Psst');
  await alice.getByRole('link', { name: /Bob the Builder bob .*Psst/ }).waitFor();
  await open(alice, 'bob');
  await alice.getByRole('heading', { name: 'Bob the Builder', level: 1 }).waitFor();
  expect(await textOf(alice, '#talk header div p')).toBe('bob · Online');
  expect(plain(await alice.title())).toBe('Bob the Builder (bob) · Parley');
  await alice.getByRole('searchbox').fill('builder');
  expect(await alice.locator('#people li').count()).toBe(1);
});

test('who takes the name of somebody else is told from them by the username', async () => {
  const node = await startNode();
  const [bob, mallory] = [await person(node, 'bob'), await person(node, 'mallory')];
  await rename(mallory, 'bob');
  await say(bob, 'it is me');
  await say(mallory, 'no, me');
  const alice = await openWindow(theBrowser(), node);
  await register(alice, 'alice');
  const heads = messages(alice).locator('.head');
  await expect.poll(() => heads.locator('.username').allTextContents()).toEqual(['', 'mallory']);
  expect(await heads.locator('.from').allTextContents()).toEqual(['bob', 'bob']);

  // Also where a name stands alone: in the list, for screen readers, in the tab and at the field.
  await alice.getByRole('link', { name: /Everybody .*bob.* \(.*mallory.*\): no, me/ }).waitFor();
  await say(mallory, 'still me');
  const spoken = alice.locator('#announcer');
  await expect.poll(async () => plain((await spoken.textContent()) ?? '')).toBe('bob (mallory): still me');
  await tell(mallory, 'alice', 'Psst');
  await alice.getByRole('link', { name: /bob mallory .*Psst/ }).click();
  await expect.poll(async () => plain(await alice.title())).toBe('bob (mallory) · Parley');
  await alice.getByRole('textbox', { name: /^Message to .*bob.* \(.*mallory.*\)/ }).waitFor();
});

test('while there is no connection the page does not say who is online: what it knew is dimmed and called old', async () => {
  const node = await startNode();
  const bob = await person(node, 'bob');
  await listen(bob);
  await tell(bob, 'bob', 'a note');
  const alice = await openWindow(theBrowser(), node);
  await register(alice, 'alice');
  await alice.locator('#people').getByRole('link', { name: 'bob' }).click();
  await alice.getByText('Online', { exact: true }).nth(1).waitFor();
  const list = alice.locator('#people');
  const opacity = () => alice.evaluate(`getComputedStyle(document.querySelector('#people .avatar')).opacity`);
  expect(await opacity()).toBe('1');
  await alice.locator('#talks .is-online').waitFor();

  await node.close();
  const told = alice.getByRole('status').getByText('As it was when the connection broke');
  await told.waitFor();
  expect(Number(await opacity())).toBeLessThan(0.6);
  expect(await list.getByRole('link', { name: 'bob' }).count()).toBe(1);
  expect(await list.getAttribute('aria-describedby')).toBe('people-stale');
  await alice.getByText('Whether they are online is not known without a connection.').waitFor();
  expect(await alice.locator('#talks .is-online').count()).toBe(0);

  const again = await startNode({ PORT: String(node.address.port) }, { prefix: node.prefix });
  await listen({ ...bob, node: again });
  await connected(alice);
  await expect.poll(() => alice.locator('#people-stale').textContent()).toBe('');
  expect(await opacity()).toBe('1');
});
