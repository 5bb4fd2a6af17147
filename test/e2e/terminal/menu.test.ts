// The menus in a real pseudo-terminal: before and after login, and with a saved session.
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createSessionFile } from '../../../clients/cli/src/session-file.ts';
import { sharedNode, startNode, until } from '../../kit/app.ts';
import { emptyFolder, exitsCleanly, hasTmux, openPane, type Pane, storedLogin } from '../../kit/pane.ts';
import { freePort } from '../../kit/ports.ts';
import { client } from '../../kit/wire.ts';

const password = 'correct horse battery';

/** Moves down to the item and presses Enter. */
async function choose(pane: Pane, item: string): Promise<void> {
  for (let steps = 0; !(await pane.screen()).includes(`● ${item}`); steps += 1) {
    if (steps > 20) throw new Error(`no such item: ${item}\n${await pane.screen()}`);
    const before = await pane.screen();
    await pane.keys('Down');
    await until('the cursor moves', async () => (await pane.screen()) !== before);
  }
  await pane.keys('Enter');
}

async function answer(pane: Pane, question: RegExp, text: string): Promise<void> {
  await pane.shows(new RegExp(`◆ {2}${question.source}`));
  await pane.type(text);
  await pane.keys('Enter');
}

describe.skipIf(!hasTmux)('the menu', () => {
  const node = sharedNode();

  test('NO_COLOR turns off all colours, in menus, questions and the chat', async () => {
    const colors = new RegExp(`${'\u001b'}\\[(?:\\d+;)*(?:[39][0-7]|4[0-7]|10[0-7])[;m]`);
    const env = { NO_COLOR: '1' };
    const stateDir = await storedLogin(node(), 'norbert');
    const pane = await openPane(['chat', '--server', node().url], { env, stateDir });
    await pane.shows('● Talk to everybody');
    expect(await pane.styledScreen()).not.toMatch(colors);
    await pane.keys('Enter');
    await pane.shows('everybody ›');
    await pane.type('hello\n');
    await pane.shows('you  hello');
    expect(await pane.styledScreen()).not.toMatch(colors);
    await pane.type('/menu\n');
    await pane.shows('● Talk to everybody');
    await choose(pane, 'Log out');
    await choose(pane, 'Log in');
    await pane.shows(/◆ {2}Username/);
    await pane.type('norbert');
    await pane.shows('norbert');
    expect(await pane.styledScreen()).not.toMatch(colors);
    await pane.keys('C-c');
    await exitsCleanly(pane, 0);
  });

  test('creates an account and logs in, without showing the password', async () => {
    const pane = await openPane(['--server', node().url]);
    await pane.shows('● Log in');
    await choose(pane, 'Create account');
    await answer(pane, /Username/, 'alice');
    await answer(pane, /Password/, 'short');
    await pane.shows('Use 8 to 72 bytes.');
    await pane.keys('C-u');
    await pane.type(password);
    await pane.keys('Enter');
    await answer(pane, /Repeat the password/, 'something else');
    await pane.shows('The passwords do not match.');
    await pane.keys('C-u');
    await pane.type(password);
    await pane.keys('Enter');
    await pane.shows('Account created. Welcome, alice.');
    await choose(pane, 'No, log out when I quit');
    const screen = await pane.shows('alice · 1 online');
    expect(screen).not.toContain(password);
    await choose(pane, 'Quit');
    await exitsCleanly(pane, 0);
  });

  test('shows an error for a wrong password and returns to the menu, in Chinese by LANG', async () => {
    await client(node(), '韩梅梅');
    const pane = await openPane(['--server', node().url], { lang: 'zh_CN.UTF-8' });
    await pane.shows('● 登录');
    await pane.keys('Enter');
    await answer(pane, /用户名/, '韩梅梅');
    await answer(pane, /密码/, 'not my password');
    await pane.shows('在这台电脑上保持登录？');
    await pane.keys('Enter');
    await pane.shows('用户名或密码错误。');
    await pane.shows(/◆ {2}请选择/);
    await choose(pane, '退出');
    expect(await exitsCleanly(pane, 0)).toContain('再见。');
  });

  test('updates online users and new messages while it is open', async () => {
    const stateDir = await storedLogin(node(), 'bob');
    const pane = await openPane(['--server', node().url], { stateDir });
    await pane.shows(/◆ {2}bob · \d+ online/);
    await choose(pane, 'Who is online');
    await pane.shows('● Back');
    const carol = await client(node(), 'carol');
    const stream = carol.events();
    await stream.next();
    await pane.shows('○ carol');
    await stream.return();
    await choose(pane, 'carol');
    await pane.shows('→ carol ›');
    await pane.shows('carol went offline');
    await pane.type('/menu');
    await pane.keys('Enter');
    await pane.shows('● Who is online');
    await carol.sendDirect('bob', 'for the mailbox');
    await pane.shows('Mailbox 1 new');
    await choose(pane, 'Mailbox');
    await pane.shows(/carol → you {2}for the mailbox/);
    await until('the message is acknowledged', async () => {
      const bob = await client(node(), 'bob');
      return (await bob.getMailbox()).data?.unread === 0;
    });
    await choose(pane, 'Conversations');
    await pane.shows('● carol');
    await pane.keys('Escape');
    await pane.shows('● Conversations');
    await choose(pane, 'Message somebody');
    await choose(pane, 'Somebody else …');
    await answer(pane, /Username/, 'nobody-there');
    await pane.shows('User not found.');
    await pane.shows(/◆ {2}Username\n│ {2}nobody-there/);
    await pane.keys('C-c');
    await exitsCleanly(pane, 0);
  });

  test('a saved session skips the login next time, and its file is readable by the owner only', async () => {
    const stateDir = emptyFolder();
    await client(node(), 'dave');
    const pane = await openPane(['--server', node().url], { stateDir });
    await pane.shows('● Log in');
    await pane.keys('Enter');
    await answer(pane, /Username/, 'dave');
    await answer(pane, /Password/, password);
    await pane.shows('Stay logged in');
    await choose(pane, 'Yes, save the session to');
    await pane.shows(/dave · \d+ online/);
    const [file = ''] = readdirSync(join(stateDir, 'parley'));
    expect(statSync(join(stateDir, 'parley', file)).mode & 0o777).toBe(0o600);
    await choose(pane, 'Quit');
    await exitsCleanly(pane, 0);
    const again = await openPane(['--server', node().url], { stateDir });
    await again.shows(/◆ {2}dave · \d+ online/);
    await choose(again, 'Log out');
    await again.shows('● Log in');
    expect(createSessionFile(stateDir, node().url).storage.get()).toBeUndefined();
    await again.keys('C-c');
    await exitsCleanly(again, 0);
  });

  test('returns to the login menu when the session is ended elsewhere, also from a chat', async () => {
    const stateDir = await storedLogin(node(), 'erin');
    const pane = await openPane(['--server', node().url], { stateDir });
    await pane.shows('● Talk to everybody');
    await pane.keys('Enter');
    await pane.shows('everybody ›');
    const { storage } = createSessionFile(stateDir, node().url);
    const twin = await client(node(), 'erin');
    await twin.restore(await storage.get());
    await twin.logout();
    await pane.shows('Your session has ended. Please log in again.');
    await pane.shows('● Log in');
    await pane.keys('C-d');
    await exitsCleanly(pane, 0);
  });

  test('reports an unreachable server, and "Try again" sends the same input', async () => {
    const PORT = String(await freePort());
    const pane = await openPane(['--server', `http://127.0.0.1:${PORT}`]);
    await pane.shows('● Log in');
    await choose(pane, 'Create account');
    await answer(pane, /Username/, 'frank');
    await answer(pane, /Password/, password);
    await answer(pane, /Repeat the password/, password);
    await pane.shows('The server is unreachable.');
    await pane.shows('● Try again');
    await startNode({ PORT });
    await pane.keys('Enter');
    await pane.shows('Account created. Welcome, frank.');
    await pane.keys('C-c');
    await exitsCleanly(pane, 0);
  });

  test.each([
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('%s restores the terminal, with the cursor that a menu hides', async (signal, exitCode) => {
    const pane = await openPane(['--server', node().url]);
    await pane.shows('● Log in');
    await until('the menu hides the cursor', async () => !(await pane.cursor()).isVisible);
    pane.kill(signal);
    await exitsCleanly(pane, exitCode);
  });
});
