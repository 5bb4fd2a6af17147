// The README's shell blocks, as they are written, in one bash against a Parley that was started as a newcomer starts it.
// Only the address is exchanged: the README says port 3000, the test takes a free one.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, type TestContext, test } from 'vitest';
import { findNativeServer } from '../src/store/private-redis/server.ts';
import { built } from './support/built.ts';
import { hasTmux, openPane } from './support/pane.ts';
import { client } from './support/wire.ts';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const blocks = [...readme.matchAll(/^```sh\n(.*?)^```$/gms)].map((match) => match[1]!);
const ADDRESS = 'http://127.0.0.1:3000';
/** bcrypt at the cost that Parley starts with, on a machine that may be busy. */
const PATIENCE_MS = 60_000;
const ROOT = fileURLToPath(new URL('..', import.meta.url));
const { PATH = '' } = process.env;
const native = await findNativeServer(PATH, () => undefined);

/** Ends a process, if it has not ended by itself, and waits until it is gone. */
async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'exit');
}

/** Answers the process, the address that it says it listens on, and what it says of its Redis. */
async function startParley(path: string, directory: string) {
  const parley = spawn(process.execPath, [built('main.js')], {
    cwd: directory, // not ROOT: a developer may have a .env there
    env: { PATH: path, PORT: '0', DATA_DIR: join(directory, 'data'), LOG_LEVEL: 'warn' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let address = '';
  for await (const line of createInterface(parley.stdout)) {
    address ||= /Parley listens on (\S+)/.exec(line)?.[1] ?? '';
    const redis = /Redis: (.+)/.exec(line)?.[1];
    if (redis) return { parley, address, redis };
  }
  throw new Error('Parley ended before it said where it listens');
}

type Finish = TestContext['onTestFinished'];

/** What one bash printed for each block. Its errors count too: a newcomer would see them. */
async function runBlocks(address: string, directory: string): Promise<string[]> {
  const separator = '----- the next block -----';
  // A person would see the direct message before going on.
  const wait = "until grep -q '^event: dm' bob.log || [ $SECONDS -gt 12 ]; do sleep 0.1; done";
  const script = blocks.join(`\n${wait}\necho '${separator}'\n`).replaceAll(ADDRESS, address);
  const bash = spawn('bash', ['-u'], { cwd: directory, env: { PATH }, stdio: ['pipe', 'pipe', 'pipe'] });
  let printed = '';
  for (const output of [bash.stdout, bash.stderr]) {
    output.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
    });
  }
  bash.stdin.end(script);
  await once(bash, 'close');
  return printed.split(`${separator}\n`);
}

type Event = { kind: string; text?: string; [field: string]: unknown };
const eventsIn = (printed: string): Event[] =>
  [...printed.matchAll(/^data: (.+)$/gm)].map((match) => JSON.parse(match[1]!));
/** An answer begins a line; what bob's stream prints may come before its line ends. */
const answersIn = (printed: string): Event[] =>
  [...printed.matchAll(/^(\{.+?\})(?=$|event: |retry: )/gm)].map((match) => JSON.parse(match[1]!));

async function readmeHolds(path: string, redis: string, onTestFinished: Finish): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'parley-readme-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const { parley, ...started } = await startParley(path, directory);
  onTestFinished(() => end(parley));
  const [talk = '', resume = '', mailbox = ''] = await runBlocks(started.address, directory);
  expect(started.redis).toContain(redis);

  const said = answersIn(talk);
  expect(said.slice(0, 3).map(({ username }) => username)).toEqual(['alice', 'bob', 'carol']);
  expect(said.slice(3)).toMatchObject([
    { kind: 'broadcast', text: 'Good morning!' },
    { kind: 'dm', to: 'bob', text: 'Lunch at noon?' },
    { kind: 'dm', to: 'carol', text: 'Lunch at noon?' },
  ]);
  const heard = eventsIn(talk);
  expect(heard[0]).toMatchObject({ kind: 'ready', username: 'bob', resumed: false });
  const messages = heard.filter(({ kind }) => kind === 'broadcast' || kind === 'dm');
  expect(messages).toEqual([said[3], said[4]]);

  const [ready, ...missed] = eventsIn(resume).filter(({ kind }) => kind !== 'presence');
  expect(ready).toMatchObject({ kind: 'ready', resumed: true, gap: false });
  expect(missed).toEqual([answersIn(resume)[0]]);
  expect(missed[0]).toMatchObject({ kind: 'dm', text: 'Still there?' });

  const [waiting, acknowledged] = answersIn(mailbox);
  expect(waiting).toMatchObject({
    messages: [{ text: 'Lunch at noon?', from: 'alice' }],
    unread: 1,
    gap: null,
  });
  expect(acknowledged).toEqual({ unread: 0 });

  expect(talk + resume + mailbox).not.toMatch(/bash:|curl:|Error|urn:parley:problem/);
}

test('the README has three blocks to run, and every address in them is the one that Parley listens on by default', () => {
  expect(blocks).toHaveLength(3);
  const addresses = blocks.join().match(/https?:\/\/[^/\s]+/g);
  expect(new Set(addresses)).toEqual(new Set([ADDRESS]));
});

test.each(['README.md', 'docs/architecture.md'])('every file that %s points to is there', (page) => {
  const text = readFileSync(join(ROOT, page), 'utf8');
  const links = [...text.matchAll(/\]\((?!https?:)([^)#]+)/g)].map((match) => match[1]!);
  expect(links.length).toBeGreaterThan(0);
  expect(links.filter((link) => !existsSync(join(ROOT, dirname(page), link)))).toEqual([]);
});

test.concurrent(
  'its lines do what it says with nothing installed: Valkey in WebAssembly',
  ({ onTestFinished }) => readmeHolds('/nowhere', 'WebAssembly', onTestFinished),
  PATIENCE_MS,
);

test
  .skipIf(!native)
  .concurrent(
    'and with a redis-server on the PATH',
    ({ onTestFinished }) => readmeHolds(PATH, 'data is kept in', onTestFinished),
    PATIENCE_MS,
  );

/** A clone, as far as building it and running the command go. */
function cloneFor(onTestFinished: Finish): string {
  const folder = mkdtempSync(join(tmpdir(), 'parley-clone-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const files = ['src', 'scripts', 'openapi.yaml', 'package.json', 'tsconfig.json', 'tsconfig.build.json'];
  for (const file of files) cpSync(join(ROOT, file), join(folder, file), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  return folder;
}

const section = /^## In a terminal\n(.*?)^## /ms.exec(readme)?.[1] ?? '';
const inTerminal = [...section.matchAll(/^```bash\n(.*?)^```$/gms)].map((match) => match[1]!.trim());

test('the README has a block to chat in a terminal, one that asks for a password, and one for pipes', () => {
  expect(inTerminal).toHaveLength(3);
  expect(inTerminal[0]).toContain('npm run chat');
  expect(inTerminal[1]).toMatch(/^read -rs PARLEY_PASSWORD/m);
  expect(inTerminal[2]).toMatch(/parley send.*parley listen/s);
  // What is typed before a command is kept in the shell's history.
  expect(readme).not.toMatch(/PARLEY_PASSWORD=/);
});

test.skipIf(!hasTmux)(
  'its lines for the terminal do what it says: pipes, then the menu and a chat',
  async ({ onTestFinished }) => {
    const [chat = '', password = '', pipes = ''] = inTerminal;
    const folder = cloneFor(onTestFinished);
    const { parley, address } = await startParley('/nowhere', folder);
    onTestFinished(() => end(parley));
    await client({ url: address }, 'bob');
    const alice = await client({ url: address }, 'alice');
    // npm would look for a newer npm, and say so between our lines.
    const env = { PARLEY_SERVER: address, npm_config_update_notifier: 'false' };

    const piped = await openPane([], { env, folder, inShell: true, columns: 200, line: password });
    await piped.shows(/^shell\$ read -rs/m, PATIENCE_MS);
    await piped.type('correct horse battery\n');
    await piped.shows(/shell\$$/);
    await piped.type(`${pipes}\n`);
    await piped.shows(/^\{"id":"[^"]*","kind":"dm","from":"alice","to":"bob","text":"Lunch\?"/m, PATIENCE_MS);
    await piped.keys('C-c');
    await piped.shows(/shell\$$/);

    const pane = await openPane([], { env, folder, inShell: true, line: chat });
    await pane.shows('● Log in', PATIENCE_MS);
    await pane.keys('Enter');
    await pane.shows(/◆ {2}Username/);
    await pane.type('bob');
    await pane.keys('Enter');
    await pane.shows(/◆ {2}Password/);
    await pane.type('correct horse battery');
    await pane.keys('Enter');
    await pane.shows('Stay logged in on this computer?');
    await pane.keys('Enter');
    await pane.shows('● Talk to everybody');
    await pane.keys('Enter');
    await pane.shows('everybody ›');
    await alice.sendBroadcast('Good morning!');
    await pane.shows('alice  Good morning!');
    await pane.type('/help\n');
    await pane.shows('/history');
    await pane.type('/quit\n');
    await pane.shows(/Goodbye\.\n+shell\$$/);
  },
  120_000,
);
