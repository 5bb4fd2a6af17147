/** What people see, hear and touch: hostile texts, a small screen, dark, the keyboard alone, other languages. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { person, say, startNode, tell } from '../../kit/app.ts';
import {
  connected,
  messages,
  open,
  openWindow,
  PASSWORD,
  register,
  sees,
  sharedBrowser,
  type Window,
  write,
  writeTo,
} from '../../kit/browser.ts';

const theBrowser = sharedBrowser();
const SMALL = { viewport: { width: 360, height: 640 } };
const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

const read = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');

const HOSTILE = [
  `<img src=x onerror="document.title='owned'">`,
  `</p><script>document.title='owned'</script>`,
  `"><svg onload=alert(1)> &lt;b&gt; &amp; {{7*7}} \${7*7}`,
  'javascript:alert(1) https://elsewhere.example/x.png',
  '\u202Eright to left, by force\u202C and back',
  'שלום עולם, and latin, and عربى',
  'one\r\ntwo\rthree\n\n\n\nfour\ttab',
  '👨‍👩‍👧‍👦 🏳️‍🌈 é ẍ̷̛ ﷽',
  'w'.repeat(4_000),
  '长'.repeat(4_000),
];

const isWiderThanScreen = (page: Window) =>
  page.evaluate(
    `[document.documentElement, ...document.querySelectorAll('#scroller, .lists')]
      .some(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth)`,
  ) as Promise<boolean>;

test('hostile texts are shown as the text they are, also on a small screen', async () => {
  const node = await startNode();
  const mallory = await person(node, 'mallory');
  for (const text of HOSTILE) await say(mallory, text);
  const alice = await openWindow(theBrowser(), node, SMALL);
  await register(alice, 'alice');
  await open(alice, 'Everybody');
  await tell(mallory, 'alice', HOSTILE[0]!);
  for (const text of HOSTILE) await say(mallory, text); // and once more, live
  await expect.poll(() => messages(alice).locator('.text').count()).toBe(2 * HOSTILE.length);
  expect(await messages(alice).locator('.text').allTextContents()).toEqual([...HOSTILE, ...HOSTILE]);
  expect(await alice.locator('#messages :is(img, script, svg, a, b)').count()).toBe(0);
  expect(await isWiderThanScreen(alice)).toBe(false);
  await alice.getByRole('link', { name: 'Back to conversations' }).click();
  await alice.getByRole('link', { name: /mallory.*unread: 1/ }).waitFor();
  expect(await isWiderThanScreen(alice)).toBe(false);
  expect(await alice.title()).not.toBe('owned');
});

test('a text may be 4,000 characters long; one more cannot be sent, and the page says so', async () => {
  const node = await startNode();
  const alice = await openWindow(theBrowser(), node);
  await register(alice, 'alice');
  const field = alice.getByRole('textbox', { name: 'Message to Everybody' });
  await field.fill('🙂'.repeat(4_001));
  await alice.getByText('1 characters too long').waitFor();
  expect(await alice.getByRole('button', { name: 'Send' }).isDisabled()).toBe(true);
  await field.fill('🙂'.repeat(4_000));
  await alice.getByText('0 characters left').waitFor();
  await alice.getByRole('button', { name: 'Send' }).click();
  await sees(alice, '🙂'.repeat(4_000));
});

test('at 360 pixels there is the list or the talk, and "back" of the browser leads from one to the other', async () => {
  const node = await startNode();
  await person(node, 'bob');
  const alice = await openWindow(theBrowser(), node, SMALL);
  expect(await isWiderThanScreen(alice)).toBe(false);
  await register(alice, 'alice');
  const field = alice.getByRole('textbox', { name: /^Message to/ });
  expect(await field.isVisible()).toBe(false);
  await writeTo(alice, 'bob');
  await write(alice, 'Hello');
  await sees(alice, 'Hello');
  expect(await alice.getByRole('searchbox').isVisible()).toBe(false);
  expect(await isWiderThanScreen(alice)).toBe(false);
  await alice.goBack();
  await alice.getByRole('searchbox').waitFor();
  expect(await field.isVisible()).toBe(false);
});

test('the keyboard alone is enough, from the door to an answer', async () => {
  const node = await startNode();
  const bob = await person(node, 'bob');
  const alice = await openWindow(theBrowser(), node);
  const press = async (...keys: string[]) => {
    for (const key of keys) await alice.keyboard.press(key);
  };
  await alice.getByLabel('Username').waitFor(); // it has the focus
  await alice.keyboard.type('alice');
  await press('Tab');
  await alice.keyboard.type(PASSWORD);
  await press('Tab', 'Tab', 'Enter');
  await connected(alice);
  await alice.keyboard.type('Hello everybody'); // the field has the focus
  await press('Enter');
  await sees(alice, 'Hello everybody');
  await tell(bob, 'alice', 'Psst');
  await alice.getByRole('link', { name: /bob.*unread: 1/ }).waitFor();
  for (let steps = 0; steps < 20; steps += 1) {
    await press('Shift+Tab');
    if ((await alice.evaluate('document.activeElement.getAttribute("href")')) === '#/with/bob') break;
  }
  await press('Enter');
  await sees(alice, 'Psst');
  await expect.poll(() => alice.evaluate('document.activeElement.id')).toBe('text');
  await alice.keyboard.type('two');
  await press('Shift+Enter');
  await alice.keyboard.type('lines');
  await press('Enter');
  await sees(alice, 'two\nlines');
});

test('what comes is told to screen readers once, history is not', async () => {
  const node = await startNode();
  const bob = await person(node, 'bob');
  await say(bob, 'long ago');
  const alice = await openWindow(theBrowser(), node);
  await register(alice, 'alice');
  await sees(alice, 'long ago');
  const spoken = alice.locator('#announcer');
  expect(await spoken.textContent()).toBe('');
  await say(bob, 'right now');
  await expect.poll(() => spoken.textContent()).toBe('bob: right now');
  expect(await spoken.getAttribute('aria-live')).toBe('polite');
});

/** The only window without the page's policy: axe must get in. */
test.each(['light', 'dark'] as const)(
  'axe finds nothing serious in the %s scheme, wide and small',
  async (colorScheme) => {
    const node = await startNode();
    const bob = await person(node, 'bob');
    await say(bob, 'Good morning');
    const alice = await openWindow(theBrowser(), node, { colorScheme, bypassCSP: true });
    expect(await findings(alice)).toEqual([]);
    await alice.getByLabel('Username').fill('alice');
    await alice.getByLabel('Password').fill('short');
    await alice.keyboard.press('Enter');
    await alice.getByRole('alert').getByText('password').waitFor();
    expect(await findings(alice)).toEqual([]);
    await register(alice, 'alice');
    await sees(alice, 'Good morning');
    await tell(bob, 'alice', 'Psst');
    await alice.getByRole('link', { name: /bob.*unread: 1/ }).waitFor();
    await alice.route('**/v1/broadcasts', (route) => route.abort());
    await write(alice, 'Not to be sent');
    await alice.getByText('Not sent.').waitFor();
    expect(await findings(alice)).toEqual([]);
    await alice.setViewportSize(SMALL.viewport);
    expect(await findings(alice)).toEqual([]);
    await node.close();
    await alice.getByText('No connection.').waitFor();
    expect(await findings(alice)).toEqual([]);
  },
);

async function findings(page: Window): Promise<string[]> {
  if (!(await page.evaluate('"axe" in window'))) await page.addScriptTag({ path: AXE });
  return (await page.evaluate(`axe.run().then(({ violations }) => violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => id + ': ' + html + ' ' + failureSummary)))`)) as string[];
}

test('Chinese where the browser speaks it, and a switch that is kept', async () => {
  const node = await startNode();
  const alice = await openWindow(theBrowser(), node, { locale: 'zh-CN' });
  await alice.getByLabel('用户名').fill('张三');
  await alice.getByLabel('密码').fill(PASSWORD);
  await alice.getByRole('button', { name: '注册' }).click();
  await alice.getByText('已连接').waitFor();
  expect(await alice.evaluate('document.documentElement.lang')).toBe('zh-Hans');
  await alice.getByRole('button', { name: 'English' }).click();
  await connected(alice);
  await alice.reload();
  await connected(alice);
  expect(await alice.evaluate('document.documentElement.lang')).toBe('en');
});

test('the page is as small as its reference says', () => {
  const [, script, compressed, styles] =
    /script of at most (\d+) KB \((\d+) KB compressed\) and (\d+) KB of styles/.exec(
      read('docs/reference/web-page.md'),
    )!;
  const bytes = Buffer.from(read('clients/web/app.min.js'));
  expect(bytes.length).toBeLessThan(Number(script) * 1_000);
  expect(gzipSync(bytes, { level: 9 }).length).toBeLessThan(Number(compressed) * 1_000);
  expect(Buffer.byteLength(read('clients/web/style.min.css'))).toBeLessThan(Number(styles) * 1_000);
});

test('index.html has the English words, and no word that is not there', () => {
  const html = read('clients/web/index.html');
  const source = read('clients/web/src/i18n.ts');
  const english = source.slice(0, source.indexOf('export type Word'));
  const shown = [
    ...html.matchAll(/data-word="(\w+)"[^>]*>([^<]*)</g),
    ...html.matchAll(/data-label="(\w+)" aria-label="([^"]*)"/g),
    ...html.matchAll(/data-hint="(\w+)" placeholder="([^"]*)"/g),
  ];
  expect(shown.length).toBe([...html.matchAll(/data-(word|label|hint)="/g)].length);
  for (const [, word, text] of shown) expect(english).toContain(`  ${word}: '${text}',`);
});
