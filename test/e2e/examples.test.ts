// Runs the examples unchanged against a real node. (The echo bot needs the package: test/e2e/client-package.test.ts.)
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { listen, login, person, say, startNode, tell, until } from '../kit/app.ts';
import { call } from '../kit/contract.ts';

const run = promisify(execFile);
const example = (name: string): string => fileURLToPath(new URL(`../../examples/${name}`, import.meta.url));
const hasPython = spawnSync('python3', ['--version']).status === 0;
if (!hasPython) {
  if (process.env['CI']) throw new Error('CI must run the Python example: install python3');
  process.stderr.write('\n*** SKIPPED: python3 is not installed, so examples/listen.py was not run. ***\n\n');
}

const PASSWORD = { PARLEY_PASSWORD: 'correct horse battery' };

test.each([['sh', 'announce.sh'], ['bash', 'listen.sh'], ...(hasPython ? [['python3', 'listen.py']] : [])])(
  '%s examples/%s asks for a password of its own',
  async (program, name) => {
    const env = { PATH: process.env['PATH'], PARLEY_URL: 'http://127.0.0.1:1' };
    const failure = await run(program!, [example(name!)], { env }).catch((error) => error);
    expect(failure.code).not.toBe(0);
    expect(failure.stderr).toContain('Set PARLEY_PASSWORD');
  },
);

test('announce.sh sends any text as a broadcast', async () => {
  const node = await startNode();
  const stream = await listen(await person(node, 'bob'));
  const text = 'Back at "noon" \\o/ $HOME `id`\n\tsee you — 再见';
  const { stdout, stderr } = await run(example('announce.sh'), [text], {
    env: { PATH: process.env['PATH'], PARLEY_URL: node.url, PARLEY_PASSWORD: 'say "friend" \\ and enter' },
  });
  expect(stderr).toBe('');
  expect(JSON.parse(stdout)).toMatchObject({ kind: 'broadcast', from: 'announcer', text });
  expect((await stream.next('broadcast')).data).toEqual(JSON.parse(stdout));
});

test('announce.sh fails and prints the problem when the server rejects the message', async () => {
  const node = await startNode();
  const env = { PATH: process.env['PATH'], PARLEY_URL: node.url, ...PASSWORD };
  const failure = await run(example('announce.sh'), ['  '], { env }).catch((error) => error);
  expect(failure.code).not.toBe(0);
  expect(failure.stdout).toContain('validation_failed');
});

async function end(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}

test.skipIf(!hasPython)(
  'listen.py prints messages, resumes after a restart, and prints nothing twice',
  async () => {
    const node = await startNode({ ACCESS_TTL_SECONDS: '600' });
    const bob = await person(node, 'bob');
    const python = spawn('python3', [example('listen.py'), node.url], {
      env: { ...process.env, ...PASSWORD },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => end(python));
    let printed = '';
    python.stdout.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
    });
    const lines = () => printed.split('\n').flatMap((line) => line.split(' from ')[1] ?? []);
    const prints = (...expected: string[]) =>
      until(`it prints ${expected.join(', ')}`, () => lines().join() === expected.join(), 12_000);

    await until('it listens', async () => (await tell(bob, 'listener', 'one')).status === 201);
    await prints('bob: one');
    await node.close();
    const restarted = await startNode({ PORT: String(node.address.port) }, { prefix: node.prefix });
    const bobAfterRestart = { ...bob, node: restarted };
    await say(bobAfterRestart, 'two'); // a stream that did not resume would miss this broadcast
    await prints('bob: one', 'bob: two');
    await tell(bobAfterRestart, 'listener', 'three');
    await prints('bob: one', 'bob: two', 'bob: three');
  },
);

/** Runs listen.sh; it continues at the place in `file`. */
function runListener(url: string, file: string) {
  const env = { PATH: process.env['PATH'], PARLEY_URL: url, ...PASSWORD };
  const bash = spawn('bash', [example('listen.sh'), file], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const stop = async (): Promise<void> => {
    if (bash.exitCode !== null || bash.signalCode !== null) return;
    process.kill(-bash.pid!, 'SIGKILL'); // and its curl
    await once(bash, 'exit');
  };
  onTestFinished(stop);
  let printed = '';
  bash.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  const texts = () =>
    [...printed.matchAll(/^(.+)\n/gm)]
      .map(([line]) => JSON.parse(line) as { text: string })
      .map(({ text }) => text);
  const prints = (...expected: string[]) =>
    until(`it prints ${expected.join(', ')}`, () => texts().join() === expected.join(), 12_000);
  return { bash, stop, prints };
}

function placeFile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'parley-listen-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'listen.id');
}

test('listen.sh resumes after a restart of the server and of itself, and prints nothing twice', async () => {
  const node = await startNode();
  const bob = await person(node, 'bob');
  const file = placeFile();
  const first = runListener(node.url, file);
  await until(
    'it listens',
    async () => (await tell(bob, 'listener', 'one "quoted" \\ $HOME')).status === 201,
  );
  await first.prints('one "quoted" \\ $HOME');
  await node.close();
  const again = await startNode({ PORT: String(node.address.port) }, { prefix: node.prefix });
  const back = { ...bob, node: again };
  await say(back, 'two'); // a new stream would not get it: broadcasts do not wait
  await first.prints('one "quoted" \\ $HOME', 'two');
  await first.stop();
  await say(back, 'three');
  await tell(back, 'listener', 'four');
  const second = runListener(again.url, file);
  await second.prints('four', 'three');
  const listener = await login(again, 'listener');
  const unread = async () => (await call(again, 'getMailbox', { token: listener.token })).body.unread;
  await until('everything is acknowledged', async () => (await unread()) === 0);
}, 40_000);

test('listen.sh logs in again when its token has expired', async () => {
  const node = await startNode({ ACCESS_TTL_SECONDS: '2' });
  const bob = await person(node, 'bob');
  const { prints } = runListener(node.url, placeFile());
  await until('it listens', async () => (await tell(bob, 'listener', 'one')).status === 201);
  await prints('one');
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  await say(await login(node, 'bob'), 'two');
  await prints('one', 'two');
}, 30_000);

test('listen.sh ends when the server asks not to reconnect', async () => {
  const node = await startNode({ MAX_STREAMS_PER_ACCOUNT: '1' });
  const bob = await person(node, 'bob');
  const { bash, prints } = runListener(node.url, placeFile());
  await until('it listens', async () => (await tell(bob, 'listener', 'one')).status === 201);
  await prints('one');
  await listen(await login(node, 'listener')); // replaces its stream
  await until('it ends', () => bash.exitCode === 1, 10_000);
});

test('the echo bot has at most 15 lines', () => {
  expect(readFileSync(example('echo-bot.js'), 'utf8').trimEnd().split('\n').length).toBeLessThanOrEqual(15);
});
