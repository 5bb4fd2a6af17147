// Runs the examples unchanged against a real node. (The echo bot needs the package: test/client/package.test.ts.)
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { listen, person, say, startNode, tell, until } from './support/app.ts';

const run = promisify(execFile);
const example = (name: string): string => fileURLToPath(new URL(`../examples/${name}`, import.meta.url));
const hasPython = spawnSync('python3', ['--version']).status === 0;
if (!hasPython) {
  if (process.env['CI']) throw new Error('CI must run the Python example: install python3');
  process.stderr.write('\n*** SKIPPED: python3 is not installed, so examples/listen.py was not run. ***\n\n');
}

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
  const env = { PATH: process.env['PATH'], PARLEY_URL: node.url };
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

test('the echo bot has at most 15 lines', () => {
  expect(readFileSync(example('echo-bot.js'), 'utf8').trimEnd().split('\n').length).toBeLessThanOrEqual(15);
});
