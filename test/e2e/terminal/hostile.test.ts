// A hostile server that puts terminal control sequences into every text of every response and event. None may reach the terminal.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { connect } from '../../../clients/cli/src/server.ts';
import { emptyFolder, hasTmux, logInFromMenu, openPane, PARLEY } from '../../kit/pane.ts';
import { within } from '../../kit/patience.ts';

/** 7-bit and 8-bit sequences that move the cursor, set the title and fill the clipboard; bidirectional marks; line breaks. */
const EVIL =
  '\u001b[5;7HPWNED\u001b]0;title\u0007\u001b]52;c;cm0gLXJm\u0007\u009b31m\u009d0;x\u009c\u0000\b\r\u007f\u202e\u2066\u200f\u061c\u2028x\u2029\u0085';
const evil = (word: string): string => `${word}${EVIL}`;
const LONG = 'long'.repeat(20_000);

const message = (kind: string, n: number, more: object = {}) => ({
  ...{
    id: evil(`id${n}`),
    kind,
    from: evil('mallory'),
    text: evil(`text${n}\nand more`),
    sentAt: evil('then'),
    seq: n,
  },
  ...(kind === 'dm' && { to: evil('bob') }),
  ...more,
});
const EVENTS = [
  {
    kind: 'ready',
    username: evil('bob'),
    resumed: false,
    gap: false,
    unread: 3,
    online: evil('2'),
    presence: 'all',
    heartbeatMs: 25_000,
    node: EVIL,
    serverTime: EVIL,
  },
  message('dm', 1),
  message('broadcast', 2, { sentAt: new Date().toISOString() }),
  message('broadcast', 3, { text: LONG, from: LONG }),
  { kind: 'presence', online: [evil('eve'), evil('__proto__')], offline: [evil('mallory')], total: 3 },
  { kind: 'mailbox', upTo: evil('id'), unread: 0 },
  { kind: 'gap', log: EVIL, reason: evil('because'), from: EVIL, to: EVIL, history: EVIL },
];
const page = { messages: [message('dm', 5), message('broadcast', 6)], hasMore: false, unread: 1, gap: null };
const ANSWERS: Record<string, object> = {
  '/v1/login': {
    ...{ accessToken: 'a.b.c', tokenType: 'Bearer', expiresIn: 3_600, refreshToken: 'r' },
    account: { username: evil('bob'), displayName: evil('Bob'), createdAt: EVIL },
    online: {
      total: 1,
      users: [{ username: evil('eve'), displayName: EVIL, since: EVIL }],
      nextCursor: null,
    },
  },
  '/v1/online': {
    total: 2,
    users: [{ username: evil('eve'), displayName: EVIL, since: EVIL }],
    nextCursor: null,
  },
  '/v1/dm': { conversations: [{ with: evil('eve'), unread: 2, lastMessageAt: EVIL }], hasMore: false },
  '/v1/mailbox': page,
  '/v1/broadcasts': page,
};

/** `refuse`: the problem returned for every direct message. */
async function startEvil(refuse?: object): Promise<string> {
  const server = http.createServer((req, res) => {
    const path = new URL(req.url!, 'http://x').pathname;
    req.resume();
    if (path === '/v1/events') {
      res.writeHead(200, { 'Content-Type': 'text/event-stream' });
      for (const [n, event] of EVENTS.entries())
        res.write(`event: ${event.kind}\ndata: ${JSON.stringify(event)}\nid: ${n}\n\n`);
      setTimeout(
        () =>
          res.end(
            `event: goodbye\ndata: ${JSON.stringify({ kind: 'goodbye', code: EVIL, reconnect: false })}\n\n`,
          ),
        8_000,
      ).unref();
      return;
    }
    if (req.method === 'POST' && refuse && path.startsWith('/v1/dm/')) {
      res.writeHead(400, { 'Content-Type': 'application/problem+json' });
      return void res.end(
        JSON.stringify({
          status: 400,
          title: EVIL,
          detail: evil('detail'),
          requestId: EVIL,
          type: EVIL,
          ...refuse,
        }),
      );
    }
    const body =
      req.method === 'POST' && /^\/v1\/(dm\/|broadcasts)/.test(path) ? message('dm', 7) : ANSWERS[path];
    const isUnknown = body === undefined && path !== '/v1/logout';
    res.writeHead(path === '/v1/logout' ? 204 : 200, { 'Content-Type': 'application/json' });
    res.end(path === '/v1/logout' ? undefined : JSON.stringify(isUnknown ? page : body));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function run(url: string, args: string[], until?: RegExp) {
  const [command, ...before] = PARLEY;
  const env = {
    PATH: process.env['PATH'],
    HOME: emptyFolder(),
    PARLEY_SERVER: url,
    PARLEY_PASSWORD: 'correct horse',
  };
  const child = spawn(command, [...before, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  let printed = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
      if (until?.test(printed)) child.kill('SIGINT');
    });
  const timer = setTimeout(() => child.kill('SIGKILL'), within(30_000)); // what was expected is missing then
  await once(child, 'close');
  clearTimeout(timer);
  return printed;
}

const GAP = /Some messages are missing|部分消息未收到/;
const UNSAFE = /[^\P{Cc}\n]|[\p{Bidi_Control}\u2028\u2029]/u;

test.each(['en', 'zh'])('listen prints no control sequences (%s)', async (lang) => {
  const printed = await run(await startEvil(), ['listen', '--username', 'bob', '--lang', lang], GAP);
  expect(printed).not.toMatch(UNSAFE);
  expect(printed).toMatch(/mallory.*text1/);
  expect(printed).toMatch(GAP);
  expect(printed).not.toContain('because'); // a reason that this client does not know
  expect(printed.length).toBeLessThan(40_000);
  expect(printed).not.toContain('unexpected error');
});

test('listen --json escapes control sequences, and the JSON has the original texts', async () => {
  const printed = await run(await startEvil(), ['listen', '--json', '--username', 'bob'], /"gap".*\n/);
  expect(printed).not.toMatch(UNSAFE);
  const events = printed
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(events.map(({ kind }) => kind)).toEqual(EVENTS.map(({ kind }) => kind));
  expect(events.at(-1).reason).toBe(evil('because'));
});

test.each([
  { code: 'validation_failed', errors: [{ pointer: EVIL, message: evil('wrong') }] },
  { code: 'validation_failed', errors: EVIL },
  { code: 'validation_failed', errors: [null, EVIL, 7] },
  { code: 'bad_ticket' },
  { code: 'constructor' },
  { code: '__proto__' },
  { code: EVIL },
  { code: 'bad_ticket', detail: { text: EVIL } },
])('send prints a problem without control sequences: %j', async (problem) => {
  const url = await startEvil(problem);
  for (const lang of ['en', 'zh']) {
    const printed = await run(url, ['send', '--username', 'bob', '--to', 'eve', '--lang', lang, 'hi']);
    expect(printed).toMatch(/^parley: /);
    expect(printed).not.toMatch(UNSAFE);
    expect(printed).not.toContain('unexpected error');
  }
});

test('send --json escapes control sequences', async () => {
  const printed = await run(await startEvil(), ['send', '--json', '--username', 'bob', '--to', 'eve', 'hi']);
  expect(printed).not.toMatch(UNSAFE);
  expect(JSON.parse(printed)).toEqual(message('dm', 7));
});

test('sanitizes every response in the client, before any code can print it', async () => {
  const parley = connect({ baseUrl: await startEvil() });
  const { data } = await parley.login({ username: 'bob', password: 'x' });
  const answers = [
    data,
    parley.session,
    await parley.listOnline(),
    await parley.getMailbox(),
    await parley.getUser('eve'),
  ];
  for (const answer of answers) {
    expect(JSON.stringify(answer)).toContain('PWNED');
    expect(JSON.stringify(answer).replaceAll('\\n', '')).not.toMatch(
      /\\u00|\\[bfrt]|[\u007f-\u009f\p{Bidi_Control}\u2028\u2029]/u,
    );
  }
});

test.skipIf(!hasTmux)('the menus and the chat screen print no control sequences', async () => {
  const record = join(emptyFolder(), 'record');
  const pane = await openPane(['chat', '--server', await startEvil()], { columns: 200, rows: 60, record });
  await logInFromMenu(pane, 'bob');
  await pane.keys('Down', 'Down', 'Down', 'Enter');
  await pane.shows('eve␛');
  await pane.keys('Enter');
  await pane.shows(/eve.* ›/);
  for (const command of ['/online', '/mailbox', '/history', '/dm eve', '/help'])
    await pane.type(`${command}\n`);
  await pane.shows('/quit');
  await pane.type('hello\n');
  await pane.shows(/text7/);
  await pane.type('/quit\n');
  await pane.shows(/\[exit \d+\]/);
  const raw = readFileSync(record, 'utf8');
  expect(raw).toContain('PWNED');
  for (const part of [...EVIL].filter((each) => /[\u0080-\u009f\p{Bidi_Control}\u2028\u2029]/u.test(each)))
    expect(raw).not.toContain(part);
  for (const part of ['\u001b[5;7H', '\u001b]', '\u0007']) expect(raw).not.toContain(part);
});
