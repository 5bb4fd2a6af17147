// `parley send` and `parley listen` in pipes; exit codes and usage errors.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { sharedNode, startNode, until } from '../../kit/app.ts';
import { call } from '../../kit/contract.ts';
import { emptyFolder, PARLEY, storedLogin } from '../../kit/pane.ts';
import { client, collect, untilTestEnds } from '../../kit/wire.ts';

const node = sharedNode();
const PARLEY_PASSWORD = 'correct horse battery';

function start(args: string[], env: Record<string, string> = {}, input?: string) {
  const [command, ...before] = PARLEY;
  const child = spawn(command, [...before, ...args], {
    env: { PATH: process.env['PATH'], HOME: emptyFolder(), PARLEY_SERVER: node().url, ...env },
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const printed = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text: string) => (printed[name] += text));
  child.stdin.end(input);
  const exited = once(child, 'close').then(([code]) => code as number);
  return { child, printed, exited };
}

async function run(args: string[], env: Record<string, string> = {}, input?: string) {
  const { printed, exited } = start(args, env, input);
  return { exitCode: await exited, ...printed };
}

test('send reads its text from a pipe, without the final line break', async () => {
  const [, bob] = [await client(node(), 'alice'), await client(node(), 'bob')];
  const heard = collect(bob.events({ signal: untilTestEnds().signal }));
  await heard.kind('ready');
  const who = ['--username', 'alice'];
  expect(await run(['send', ...who, '--to', 'bob'], { PARLEY_PASSWORD }, 'hi\nand a second line\n')).toEqual({
    exitCode: 0,
    stdout: '',
    stderr: '',
  });
  await heard.text('hi\nand a second line');
  const { exitCode, stdout } = await run(['send', ...who, '--all', '--json', 'to', 'all'], {
    PARLEY_PASSWORD,
  });
  expect(exitCode).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ kind: 'broadcast', from: 'alice', text: 'to all' });
  await heard.text('to all');
});

test('listen --json prints one event per line, acknowledges it, and ends on Ctrl-C', async () => {
  const carol = await client(node(), 'carol');
  const dave = await client(node(), 'dave');
  await carol.sendDirect('dave', 'before');
  const listening = start(['listen', '--json', '--username', 'dave'], { PARLEY_PASSWORD });
  await until('the first message is printed', () => listening.printed.stdout.includes('before'), 15_000);
  await carol.sendDirect('dave', 'one\nmessage, \u{1f600}');
  await until('the message is printed', () => listening.printed.stdout.includes('message,'));
  await until('the message is acknowledged', async () => (await dave.getMailbox()).data?.unread === 0);
  listening.child.kill('SIGINT');
  expect(await listening.exited).toBe(130);
  const events = listening.printed.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(events[0]).toMatchObject({ kind: 'ready', username: 'dave' });
  expect(events.flatMap(({ text }) => text ?? [])).toEqual(['before', 'one\nmessage, \u{1f600}']);
});

test('listen --no-ack keeps messages in the mailbox, and a broken pipe ends it', async () => {
  const erin = await client(node(), 'erin');
  const frank = await client(node(), 'frank');
  await erin.sendDirect('frank', 'stay');
  const listening = start(['listen', '--no-ack', '--username', 'frank'], { PARLEY_PASSWORD });
  await until('the message is printed', () => /erin → you {2}stay/.test(listening.printed.stdout), 15_000);
  listening.child.stdout.destroy();
  await erin.sendDirect('frank', 'and this');
  expect(await listening.exited).toBe(0);
  expect((await frank.getMailbox()).data?.messages.map(({ text }) => text)).toEqual(['stay', 'and this']);
});

test('send uses a saved session without a password', async () => {
  const stateDir = await storedLogin(node(), 'grace');
  const { exitCode } = await run(['send', '--all', 'from grace'], { XDG_STATE_HOME: stateDir });
  expect(exitCode).toBe(0);
  expect((await run(['send', '--all', 'again'], { XDG_STATE_HOME: stateDir })).exitCode).toBe(0);
});

test('a known device can log in while others guess the password', async () => {
  const guarded = await startNode({ LOGIN_LIMIT: '1/300' });
  await client(guarded, 'alice');
  const send = (HOME: string) =>
    run(['send', '--username', 'alice', '--all', 'hi'], {
      ...{ HOME, PARLEY_PASSWORD },
      PARLEY_SERVER: guarded.url,
    });
  const home = emptyFolder();
  expect(await send(home)).toMatchObject({ exitCode: 0 });
  const guess = () => call(guarded, 'login', { body: { username: 'alice', password: 'not her password' } });
  expect([(await guess()).status, (await guess()).status]).toEqual([401, 429]);
  expect((await send(emptyFolder())).exitCode).not.toBe(0);
  expect(await send(home)).toMatchObject({ exitCode: 0 });
});

test('serve starts the server with settings from the environment, and SIGTERM stops it', async () => {
  const env = { PORT: '0', BCRYPT_COST: '4', DATA_DIR: join(emptyFolder(), 'data'), PATH: '/nonexistent' };
  const serving = start(['serve'], env);
  await until('the server listens', () => serving.printed.stdout.includes('Parley listens on'), 15_000);
  serving.child.kill('SIGTERM');
  expect(await serving.exited).toBe(0);
});

describe('exit codes', () => {
  const who = ['--username', 'heidi'];
  const UNREACHABLE = { PARLEY_SERVER: 'http://127.0.0.1:1', PARLEY_PASSWORD };
  test.each<[string, number, string[], Record<string, string>, RegExp]>([
    [
      'rejected by the server',
      1,
      ['send', ...who, '--to', 'nobody-there', 'x'],
      { PARLEY_PASSWORD },
      /User not found/,
    ],
    ['usage: unknown command', 2, ['frobnicate'], {}, /unknown command: frobnicate/],
    ['usage: no recipient', 2, ['send', ...who, 'x'], {}, /either --to NAME or --all/],
    ['usage: no text', 2, ['send', ...who, '--all'], { PARLEY_PASSWORD }, /no text to send/],
    ['usage: an option of another command', 2, ['listen', '--to', 'bob'], {}, /listen does not support --to/],
    ['usage: chat without a terminal', 2, ['chat'], {}, /needs a terminal/],
    [
      'not logged in: wrong password',
      3,
      ['send', ...who, '--all', 'x'],
      { PARLEY_PASSWORD: 'wrong' },
      /Wrong username or password/,
    ],
    ['not logged in: no username', 3, ['send', '--all', 'x'], {}, /Pass --username/],
    ['not logged in: no password and no terminal', 3, ['send', ...who, '--all', 'x'], {}, /PARLEY_PASSWORD/],
    ['server unreachable', 4, ['send', ...who, '--all', 'x'], UNREACHABLE, /unreachable/],
  ])('%s: %i', async (_, exitCode, args, env, words) => {
    await client(node(), 'heidi');
    const result = await run(args, env);
    expect(result).toMatchObject({ exitCode, stdout: '', stderr: expect.stringMatching(words) });
  });

  test('--help and --version exit with 0, in the requested language', async () => {
    expect(await run(['--version'])).toMatchObject({ exitCode: 0, stdout: '0.1.0\n' });
    expect((await run(['send', '--help'])).stdout).toContain('Exit codes');
    expect((await run(['--help'], { LANG: 'zh_CN.UTF-8' })).stdout).toContain('退出码');
    expect((await run(['--help', '--lang', 'en'], { LANG: 'zh_CN.UTF-8' })).stdout).toContain('Exit codes');
  });
});
