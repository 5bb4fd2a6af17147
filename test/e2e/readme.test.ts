// The shell blocks of the README and of the tutorial, exactly as written, in bash and in zsh, against a Parley started the
// way a newcomer starts it. Only the address is replaced: the pages say port 3000, the test uses a free one.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, type TestContext, test } from 'vitest';
import { findNativeServer } from '../../src/store/private-redis/server.ts';
import { built } from '../kit/built.ts';
import { hasTmux, logInFromMenu, openPane } from '../kit/pane.ts';
import { client } from '../kit/wire.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const page = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const blocksOf = (text: string): string[] =>
  [...text.matchAll(/^```sh\n(.*?)^```$/gms)].map((match) => match[1]!);
const readme = blocksOf(page('README.md'));
const tutorial = blocksOf(page('docs/tutorial/first-conversation.md'));
const TERMINAL = page('docs/how-to/use-the-terminal-client.md');
const ADDRESS = 'http://127.0.0.1:3000';
/** Generous: bcrypt runs at the default cost, and the machine may be busy. */
const TIMEOUT_MS = 60_000;
const { PATH = '' } = process.env;
const nativeRedis = await findNativeServer(PATH, () => undefined);

const hasZsh = spawnSync('zsh', ['--version']).status === 0;
if (!hasZsh) {
  if (process.env['CI']) throw new Error('CI must run the shell blocks in zsh too: install zsh');
  process.stderr.write('\n*** SKIPPED: zsh is not installed, so the shell blocks run in bash only. ***\n\n');
}
type Shell = { name: string; options: string[] };
const SHELLS: Shell[] = [
  { name: 'bash', options: ['--norc', '-u'] },
  ...(hasZsh ? [{ name: 'zsh', options: ['-f', '-u'] }] : []),
];

/** Ends a process that is still running, and waits until it has exited. */
async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'exit');
}

/** Returns the process, and the address and the Redis that it prints. */
async function startParley(path: string, directory: string) {
  const parley = spawn(process.execPath, [built('main.js')], {
    cwd: directory, // not ROOT: a developer may have a .env there
    // The default cost of a password takes seconds on a busy machine.
    env: { PATH: path, PORT: '0', DATA_DIR: join(directory, 'data'), LOG_LEVEL: 'warn', BCRYPT_COST: '8' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let address = '';
  for await (const line of createInterface(parley.stdout)) {
    address ||= /Parley listens on ([^\s"]+)/.exec(line)?.[1] ?? '';
    const redis = /"redis":"([^"]+)/.exec(line)?.[1];
    if (redis) return { parley, address, redis };
  }
  throw new Error('Parley exited before it printed its address');
}

type Finish = TestContext['onTestFinished'];

/** Runs all blocks in one shell and returns the output of each, with errors, which a newcomer would see too. */
async function runBlocks(
  shell: Shell,
  run: { blocks: string[]; address: string; directory: string },
): Promise<string[]> {
  const separator = '----- next block -----';
  // A reader would wait for the direct message before continuing.
  const wait = "until grep -q '^event: dm' bob.log || [ $SECONDS -gt 12 ]; do sleep 0.1; done";
  const waitAfter = (block: string): string => (block.includes('/dm/bob') ? `${wait}\n` : '');
  const script = run.blocks
    .map((block) => `${block}\n${waitAfter(block)}echo '${separator}'\n`)
    .join('')
    .replaceAll(ADDRESS, run.address);
  const child = spawn(shell.name, shell.options, {
    cwd: run.directory,
    env: { PATH },
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  // The stream of the last block is still open: it ends with the shell's process group.
  child.stdin.end(`${script}\nkill -TERM 0\n`);
  await once(child, 'close');
  return output.split(`${separator}\n`);
}

type Event = { kind: string; text?: string; [field: string]: unknown };
const eventsIn = (output: string): Event[] =>
  [...output.matchAll(/^data: (.+)$/gm)].map((match) => JSON.parse(match[1]!));
/** A response begins a line; output of bob's stream may come before its line ends. */
const responsesIn = (output: string): Event[] =>
  [...output.matchAll(/^(\{.+?\})(?=$|event: |retry: )/gm)].map((match) => JSON.parse(match[1]!));
const isMessage = ({ kind }: Event): boolean => kind === 'broadcast' || kind === 'dm';
const SHELL_ERROR = /bash:|zsh:|curl:|Error|urn:parley:problem/;

async function outputOf(
  blocks: string[],
  {
    shell,
    path,
    redis,
    onTestFinished,
  }: { shell: Shell; path: string; redis: string; onTestFinished: Finish },
): Promise<string[]> {
  const directory = mkdtempSync(join(tmpdir(), 'parley-readme-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const { parley, ...started } = await startParley(path, directory);
  onTestFinished(() => end(parley));
  expect(started.redis).toContain(redis);
  const outputs = await runBlocks(shell, { blocks, address: started.address, directory });
  expect(outputs.join('')).not.toMatch(SHELL_ERROR);
  return outputs;
}

test('the README has two shell blocks and the tutorial seven, all with the default address', () => {
  expect(readme).toHaveLength(2);
  expect(tutorial).toHaveLength(7);
  const addresses = [...readme, ...tutorial].join().match(/https?:\/\/[^/\s]+/g);
  expect(new Set(addresses)).toEqual(new Set([ADDRESS]));
});

test('the README takes three lines to the first message, and five more to the whole idea', () => {
  expect(readme.map((block) => block.trim().split('\n').length)).toEqual([3, 5]);
  expect(readme[0]).toContain('/broadcasts');
});

test('no block has a comment, which an interactive zsh would run', () => {
  for (const block of [...readme, ...tutorial]) expect(block).not.toMatch(/^\s*#|\s#\s/m);
});

test('the README has at most 200 lines', () => {
  expect(page('README.md').split('\n').length).toBeLessThanOrEqual(200);
});

const PAGES = [
  'README.md',
  'docs/README.md',
  'docs/explanation/architecture.md',
  'docs/tutorial/first-conversation.md',
  'docs/how-to/run-in-production.md',
  'docs/how-to/backup-and-upgrade.md',
];
test.each(PAGES)('every file that %s links to exists', (path) => {
  const links = [...page(path).matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map((match) => match[1]!);
  expect(links.length).toBeGreaterThan(0);
  expect(links.filter((link) => !existsSync(join(ROOT, dirname(path), link)))).toEqual([]);
});

describe.concurrent.each(SHELLS)('in $name', (shell) => {
  test(
    'the README sends a broadcast, and both direct messages reach bob, one of them after he resumes',
    async ({ onTestFinished }) => {
      const run = { shell, path: '/nowhere', redis: 'WebAssembly', onTestFinished };
      const [first = '', conversation = ''] = await outputOf(readme, run);
      expect(responsesIn(first)).toMatchObject([{ kind: 'broadcast', from: 'alice', text: 'Good morning!' }]);
      const sent = responsesIn(conversation);
      expect(sent).toMatchObject([
        { kind: 'dm', to: 'bob', text: 'Lunch at noon?' },
        { kind: 'dm', to: 'bob', text: 'Still there?' },
      ]);
      const events = eventsIn(conversation).filter(({ kind }) => kind !== 'presence');
      expect(events).toMatchObject([
        { kind: 'ready', username: 'bob', resumed: false },
        sent[0]!,
        { kind: 'ready', username: 'bob', resumed: true, gap: false },
        sent[1]!,
      ]);
    },
    TIMEOUT_MS,
  );

  test(
    'the tutorial resumes the stream and acknowledges the mailbox',
    async ({ onTestFinished }) => {
      const run = nativeRedis
        ? { shell, path: PATH, redis: 'data is kept in', onTestFinished }
        : { shell, path: '/nowhere', redis: 'WebAssembly', onTestFinished };
      const [register = '', , listen = '', send = '', offline = '', resume = '', mailbox = ''] =
        await outputOf(tutorial, run);
      expect(responsesIn(register).map(({ username }) => username)).toEqual(['alice', 'bob', 'carol']);
      const sent = responsesIn(send);
      expect(sent).toMatchObject([
        { kind: 'broadcast', text: 'Good morning!' },
        { kind: 'dm', to: 'bob', text: 'Lunch at noon?' },
        { kind: 'dm', to: 'carol', text: 'Lunch at noon?' },
      ]);
      const events = eventsIn(listen + send);
      expect(events[0]).toMatchObject({ kind: 'ready', username: 'bob', resumed: false });
      expect(events.filter(isMessage)).toEqual(sent.slice(0, 2));

      const [ready, ...missed] = eventsIn(resume).filter(({ kind }) => kind !== 'presence');
      expect(ready).toMatchObject({ kind: 'ready', resumed: true, gap: false });
      expect(missed).toEqual(responsesIn(offline));
      expect(missed[0]).toMatchObject({ kind: 'dm', text: 'Still there?' });

      const [waiting, acknowledged] = responsesIn(mailbox);
      expect(waiting).toMatchObject({
        messages: [{ text: 'Lunch at noon?', from: 'alice' }],
        unread: 1,
        gap: null,
      });
      expect(acknowledged).toEqual({ unread: 0 });
    },
    TIMEOUT_MS,
  );
});

/** The parts of a clone that running the command needs, built. */
function cloneFor(onTestFinished: Finish): string {
  const folder = mkdtempSync(join(tmpdir(), 'parley-clone-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const files = [
    'src',
    'clients',
    'scripts',
    'dist',
    'openapi.yaml',
    'package.json',
    'tsconfig.json',
    'tsconfig.build.json',
  ];
  const options = {
    recursive: true,
    preserveTimestamps: true,
    filter: (path: string) => !/node_modules/.test(path.slice(ROOT.length)),
  };
  for (const file of files) cpSync(join(ROOT, file), join(folder, file), options);
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  return folder;
}

const inTerminal = [...TERMINAL.matchAll(/^```bash\n(.*?)^```$/gms)].map((match) => match[1]!.trim());

test('the terminal guide has a block for the menu, one that asks for a password, and one with pipes', () => {
  expect(inTerminal).toHaveLength(3);
  expect(inTerminal[0]).toContain('npm run chat');
  expect(inTerminal[1]).toMatch(/^read -rs PARLEY_PASSWORD/m);
  expect(inTerminal[2]).toMatch(/parley send.*parley listen/s);
  // An assignment before a command would stay in the shell's history.
  expect(TERMINAL).not.toMatch(/PARLEY_PASSWORD=/);
});

test.skipIf(!hasTmux)(
  'the terminal guide works as written: pipes, then the menu and a chat',
  async ({ onTestFinished }) => {
    const [chat = '', password = '', pipes = ''] = inTerminal;
    const folder = cloneFor(onTestFinished);
    const { parley, address } = await startParley('/nowhere', folder);
    onTestFinished(() => end(parley));
    await client({ url: address }, 'bob');
    const alice = await client({ url: address }, 'alice');
    // Otherwise npm may print an update notice between the lines.
    const env = { PARLEY_SERVER: address, npm_config_update_notifier: 'false' };

    const piped = await openPane([], { env, folder, inShell: true, columns: 200, line: password });
    await piped.shows(/^shell\$ read -rs/m, TIMEOUT_MS);
    await piped.type('correct horse battery\n');
    await piped.shows(/shell\$$/);
    await piped.type(`${pipes}\n`);
    await piped.shows(/^\{"id":"[^"]*","kind":"dm","from":"alice","to":"bob","text":"Lunch\?"/m, TIMEOUT_MS);
    await piped.keys('C-c');
    await piped.shows(/shell\$$/);

    const pane = await openPane([], { env, folder, inShell: true, line: chat });
    await logInFromMenu(pane, 'bob', TIMEOUT_MS);
    await pane.keys('Enter');
    await pane.shows('everybody ›');
    await alice.sendBroadcast('Good morning!');
    await pane.shows('alice  Good morning!');
    await pane.type('/help\n');
    await pane.shows('/history');
    await pane.type('/quit\n');
    await pane.shows(/Goodbye\.\n+shell\$$/);
  },
);
