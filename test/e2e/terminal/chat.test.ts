// The chat screen in a real pseudo-terminal, tested by what is visible.
import { describe, expect, test } from 'vitest';
import { sharedNode, until } from '../../kit/app.ts';
import { exitsCleanly, hasTmux, openChat, openPane, storedLogin } from '../../kit/pane.ts';
import { redisProxy } from '../../kit/proxy.ts';
import { client } from '../../kit/wire.ts';

/** Undoes wrapping. */
const flat = (screen: string): string => screen.replace(/\n {7}/g, ' ').replaceAll('\n', '');

const flatAfter = (screen: string, prompt: string): string[] =>
  screen.slice(screen.lastIndexOf(`${prompt} ›`)).split('\n');

describe.skipIf(!hasTmux)('the chat screen', () => {
  const node = sharedNode();

  test('two users chat, with everybody and in private', async () => {
    const alice = await openChat(node(), 'alice');
    const bob = await openChat(node(), 'bob');
    await alice.shows('bob came online');
    await alice.type('Good morning!');
    await alice.keys('Enter');
    await alice.shows(/\d\d:\d\d {2}you {2}Good morning!/);
    await bob.shows(/\d\d:\d\d {2}alice {2}Good morning!/);
    await bob.type('/dm alice');
    await bob.keys('Enter');
    await bob.shows('→ alice ›');
    await bob.type('Lunch?');
    await bob.keys('Enter');
    await bob.shows(/you → alice {2}Lunch\?/);
    const screen = await alice.shows(/bob → you {2}Lunch\?/);
    expect(screen.match(/Good morning!/g)).toHaveLength(1); // the input line is cleared, so the text is not shown twice
    await alice.type('/online');
    await alice.keys('Enter');
    await alice.shows(/Online \(\d+\): .*bob/);
    await alice.type('/dm nobody-there');
    await alice.keys('Enter');
    await alice.shows('nobody-there: User not found.');
    await alice.type('/frobnicate');
    await alice.keys('Enter');
    await alice.shows('Unknown command: /frobnicate');
    await alice.type('//etc is a text');
    await alice.keys('Enter');
    await bob.shows(/alice {2}\/etc is a text/);
  });

  test('prints incoming messages above the input line, which stays unchanged', async () => {
    const carol = await client(node(), 'carol');
    const pane = await openChat(node(), 'dave', { columns: 50, rows: 14 });
    const typed = 'a line that is longer than the fifty columns of this terminal, by far';
    await pane.type(typed);
    for (let count = 0; count < 3; count += 1) await pane.keys('Left');
    await pane.shows('by far');
    for (const number of [1, 2, 3, 4, 5, 6]) await carol.sendBroadcast(`number ${number}`);
    await carol.sendDirect('dave', 'and one that needs more than one line of fifty columns');
    const screen = await pane.shows('fifty columns\n');
    const lines = screen.split('\n');
    const start = lines.findIndex((line) => line.startsWith('everybody › '));
    expect(lines.slice(start).join('')).toBe(`everybody › ${typed}`);
    expect(lines.slice(0, start).filter((line) => line.includes('number')).length).toBe(6);
    expect(lines.slice(start - 2, start)).toEqual([
      expect.stringMatching(/^\d\d:\d\d {2}carol → you {2}and one that needs more than$/),
      '       one line of fifty columns',
    ]);
    expect(await pane.cursor()).toMatchObject({ row: start + 1 });
    await pane.type('not so ');
    await pane.keys('Enter');
    const sent = await pane.shows(/you {2}a line that is longer/);
    expect(sent.replace(/\s+/g, ' ')).toContain('of this terminal, by not so far');
  });

  test('rewraps everything when the width changes', async () => {
    const pane = await openChat(node(), 'erin', { columns: 80, rows: 16 });
    const text = 'Every word of this message is to be found in the right order, whatever the width is.';
    await pane.type(text);
    await pane.keys('Enter');
    await pane.shows('you  Every word');
    await pane.type('half a sentence that is being typed while the size changes');
    const widths = [
      { columns: 40, rows: 16, first: 'Every word of this message' },
      { columns: 100, rows: 20, first: text },
      { columns: 30, rows: 24, first: 'Every word of' },
    ];
    for (const { columns, rows, first } of widths) {
      await pane.resize(columns, rows);
      // The terminal first rewraps in its own way; wait for the client's layout.
      await pane.shows(new RegExp(`^\\d\\d:\\d\\d {2}you {2}${first}$`, 'm'));
      const screen = await pane.screen();
      expect(flat(screen)).toContain(`you  ${text}`);
      expect(screen.match(/›/g), screen).toHaveLength(1);
      expect(screen.slice(screen.indexOf('everybody ›')).replaceAll('\n', '')).toBe(
        'everybody › half a sentence that is being typed while the size changes',
      );
    }
  });

  test('Chinese: texts, widths, and an input line of wide characters', async () => {
    const alice = await client(node(), 'frank');
    const pane = await openChat(node(), '李雷', { columns: 40, rows: 14, lang: 'zh_CN.UTF-8' });
    await pane.type('我们中午一起去吃饭好不好？我知道一家很不错的餐厅');
    await pane.shows('餐厅');
    await alice.sendDirect('李雷', '今天天气很好，我们去公园走走吧，晚上再一起看电影👩‍👩‍👧');
    const lines = (await pane.shows('电影')).split('\n');
    const start = lines.findIndex((line) => line.startsWith('所有人 › '));
    expect(lines.slice(start)).toEqual(['所有人 › 我们中午一起去吃饭好不好？我知', '道一家很不错的餐厅']);
    expect(lines.slice(start - 2, start)).toEqual([
      expect.stringMatching(/^\d\d:\d\d {2}frank → 我 {2}今天天气很好，我们去$/),
      '       公园走走吧，晚上再一起看电影👩‍👩‍👧',
    ]);
    expect(await pane.cursor()).toMatchObject({ column: 18, row: start + 1 });
    await pane.keys('Enter');
    await pane.shows(/我 {2}我们中午/);
    await pane.type('/help');
    await pane.keys('Enter');
    await pane.shows('查看更早的消息');
  });

  test('shows messages received while offline, and acknowledges them only when they are shown', async () => {
    const grace = await client(node(), 'grace');
    const heidi = await client(node(), 'heidi');
    for (const text of ['first', 'second']) await grace.sendDirect('heidi', text);
    const unread = async () => (await heidi.getMailbox()).data?.unread;
    const stateDir = await storedLogin(node(), 'heidi');
    const pane = await openPane(['chat', '--server', node().url], { stateDir });
    await pane.shows('Mailbox 2 new');
    await grace.sendDirect('heidi', 'third');
    await pane.shows('Mailbox 3 new');
    expect(await unread()).toBe(3);
    await pane.keys('Enter');
    const screen = await pane.shows(/─ New messages ─/);
    for (const text of ['first', 'second', 'third']) expect(screen).toContain(`grace → you  ${text}`);
    await until('the message is acknowledged', async () => (await unread()) === 0);
    await grace.sendDirect('heidi', 'fourth');
    await pane.shows('fourth');
    await until('the message is acknowledged', async () => (await unread()) === 0);
  });

  test('/history goes back page by page', async () => {
    const ivan = await client(node(), 'ivan');
    await client(node(), 'judy');
    for (let number = 1; number <= 45; number += 1) await ivan.sendDirect('judy', `number-${number}.`);
    const pane = await openChat(node(), 'judy', { rows: 60 });
    await pane.type('/dm ivan');
    await pane.keys('Enter');
    await pane.shows('→ ivan ›');
    for (const oldest of ['number-26.', 'number-6.', 'number-1.']) {
      await pane.type('/history');
      await pane.keys('Enter');
      await pane.shows(oldest);
    }
    await pane.type('/history');
    await pane.keys('Enter');
    await pane.shows('No earlier messages.');
  });

  test('lines entered right after /dm wait for it, and go to nobody else', async () => {
    const proxy = await redisProxy(node().url);
    await client(node(), 'olga');
    const pane = await openChat({ url: proxy.url.replace('redis:', 'http:') }, 'paul');
    const enter = async (line: string): Promise<void> => {
      await pane.type(line);
      await pane.keys('Enter');
    };
    proxy.delay(1_000);
    for (const line of ['/dm olga', 'for olga only', '/dm nobody-at-all', 'for nobody']) await enter(line);
    await pane.shows(/you → olga {2}for olga only/);
    await pane.shows('Not sent: for nobody (nobody-at-all: User not found.)');
    proxy.hang(true);
    for (const line of ['/history', 'too late', '/quit']) await enter(line);
    expect(await exitsCleanly(pane, 0)).toContain('Not sent: too late (olga)');
    const { data } = await (await client(node(), 'quin')).listBroadcasts();
    expect(data?.messages.filter(({ text }) => text.startsWith('for '))).toEqual([]);
  });

  test.each([['C-c'], ['C-d']])('%s restores the terminal', async (key) => {
    const pane = await openChat(node(), `ken-${key.toLowerCase()}`);
    if (key === 'C-c') {
      await pane.type('something unfinished');
      await pane.shows('unfinished');
    }
    await pane.keys(key);
    const screen = await exitsCleanly(pane, 0);
    expect(screen).toContain('Goodbye.');
    if (key === 'C-c') expect(screen).toContain('Not sent: something unfinished');
  });

  test('a multi-line paste is one message, and is not sent before Enter', async () => {
    const bob = await client(node(), 'mia');
    const pane = await openChat(node(), 'nick', { columns: 50, rows: 20 });
    await pane.type('a list: ');
    await pane.paste('one\ntwo\tand a half\n\n\u001b[31mthree\u0007\n');
    await pane.type('!');
    expect(flatAfter(await pane.shows('three!'), 'everybody')).toEqual([
      'everybody › a list: one',
      expect.stringMatching(/^two +and a half$/),
      '',
      '[31mthree!',
    ]);
    await bob.sendBroadcast('meanwhile');
    const meanwhile = await pane.shows(/meanwhile\neverybody › a list: one\ntwo/);
    expect(meanwhile.match(/›/g), meanwhile).toHaveLength(1);
    await pane.keys('Enter');
    const screen = await pane.shows(
      /you {2}a list: one\n {7}two +and a half\n\n {7}\[31mthree!\neverybody ›/,
    );
    expect(screen.match(/›/g), screen).toHaveLength(1);
    expect((await bob.listBroadcasts({ limit: 1 })).data?.messages[0]?.text).toBe(
      'a list: one\ntwo\tand a half\n\n[31mthree!',
    );
    await pane.keys('C-c');
    await exitsCleanly(pane, 0);
  });

  test('Ctrl-Z restores the terminal for the shell, and fg brings back the input line', async () => {
    const bob = await client(node(), 'oscar');
    const pane = await openChat(node(), 'peggy', { inShell: true, rows: 40 });
    await pane.type('half a th');
    await pane.shows('half a th');
    await pane.keys('C-z');
    await pane.shows(/Stopped[^$]*\nshell\$$/);
    await pane.type('stty -a | tr " " "\\n" | grep -xE "icanon;?|echo;?|isig;?" | sort | xargs\n');
    await pane.shows('echo icanon isig');
    await pane.paste('echo pasted to the shell');
    await pane.keys('Enter');
    await pane.shows(/^pasted to the shell$/m);
    await bob.sendBroadcast('while it was stopped');
    await pane.type('fg\n');
    await pane.shows(/while it was stopped\neverybody › half a th$/);
    await pane.type('ought');
    await pane.keys('Enter');
    await pane.shows('you  half a thought');
    await pane.paste('still\none');
    await pane.keys('Enter');
    await pane.shows(/you {2}still\n {7}one/);
    await pane.type('/quit\n');
    await pane.shows(/Goodbye\.\n+shell\$$/);
  });

  test('/menu returns to the menu, /quit exits', async () => {
    const pane = await openChat(node(), 'leo');
    await pane.type('/menu');
    await pane.keys('Enter');
    await pane.shows('● Talk to everybody');
    await pane.keys('Enter');
    await pane.shows('everybody ›');
    await pane.type('/quit');
    await pane.keys('Enter');
    await exitsCleanly(pane, 0);
  });
});
