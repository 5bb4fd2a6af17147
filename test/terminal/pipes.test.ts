// `parley send` and `parley listen` in pipes, and what the command says to whom it does not understand.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { sharedNode, startNode, until } from '../support/app.ts';
import { call } from '../support/contract.ts';
import { emptyFolder, keptLogin, PARLEY } from '../support/pane.ts';
import { client, collect, untilTestEnds } from '../support/wire.ts';

const node = sharedNode();
const PARLEY_PASSWORD = 'correct horse battery';

function start(args: string[], env: Record<string, string> = {}, input?: string) {
  const [command, ...before] = PARLEY;
  const child = spawn(command, [...before, ...args], {
    env: { PATH: process.env['PATH'], HOME: emptyFolder(), PARLEY_SERVER: node().url, ...env },
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text: string) => (said[name] += text));
  child.stdin.end(input);
  const exited = once(child, 'close').then(([code]) => code as number);
  return { child, said, exited };
}

async function run(args: string[], env: Record<string, string> = {}, input?: string) {
  const { said, exited } = start(args, env, input);
  return { exitCode: await exited, ...said };
}

test('send takes what comes in by a pipe, without the line break at its end', async () => {
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

test('listen --json writes one event a line, acknowledges what it wrote, and ends with Ctrl-C', async () => {
  const carol = await client(node(), 'carol');
  const dave = await client(node(), 'dave');
  await carol.sendDirect('dave', 'before');
  const listening = start(['listen', '--json', '--username', 'dave'], { PARLEY_PASSWORD });
  await until('it listens', () => listening.said.stdout.includes('before'), 15_000);
  await carol.sendDirect('dave', 'one\nmessage, \u{1f600}');
  await until('it has come', () => listening.said.stdout.includes('message,'));
  await until('it is acknowledged', async () => (await dave.getMailbox()).data?.unread === 0);
  listening.child.kill('SIGINT');
  expect(await listening.exited).toBe(130);
  const events = listening.said.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(events[0]).toMatchObject({ kind: 'ready', username: 'dave' });
  expect(events.flatMap(({ text }) => text ?? [])).toEqual(['before', 'one\nmessage, \u{1f600}']);
});

test('listen --no-ack leaves the mailbox as it is; a pipe that breaks ends it', async () => {
  const erin = await client(node(), 'erin');
  const frank = await client(node(), 'frank');
  await erin.sendDirect('frank', 'stay');
  const listening = start(['listen', '--no-ack', '--username', 'frank'], { PARLEY_PASSWORD });
  await until('it has come', () => /erin → you {2}stay/.test(listening.said.stdout), 15_000);
  listening.child.stdout.destroy();
  await erin.sendDirect('frank', 'and this');
  expect(await listening.exited).toBe(0);
  expect((await frank.getMailbox()).data?.messages.map(({ text }) => text)).toEqual(['stay', 'and this']);
});

test('who stays logged in needs no password', async () => {
  const stateDir = await keptLogin(node(), 'grace');
  const { exitCode } = await run(['send', '--all', 'from grace'], { XDG_STATE_HOME: stateDir });
  expect(exitCode).toBe(0);
  expect((await run(['send', '--all', 'again'], { XDG_STATE_HOME: stateDir })).exitCode).toBe(0);
});

test('while others guess a password, its owner still gets in from where they have been before', async () => {
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

test('serve starts the server, as it is set up by the environment, and SIGTERM stops it', async () => {
  const env = { PORT: '0', BCRYPT_COST: '4', DATA_DIR: join(emptyFolder(), 'data'), PATH: '/nonexistent' };
  const serving = start(['serve'], env);
  await until('it listens', () => serving.said.stdout.includes('Parley listens on'), 15_000);
  serving.child.kill('SIGTERM');
  expect(await serving.exited).toBe(0);
});

describe('the exit code says how it went', () => {
  const who = ['--username', 'heidi'];
  const AWAY = { PARLEY_SERVER: 'http://127.0.0.1:1', PARLEY_PASSWORD };
  test.each<[string, number, string[], Record<string, string>, RegExp]>([
    [
      'refused by the server',
      1,
      ['send', ...who, '--to', 'nobody-there', 'x'],
      { PARLEY_PASSWORD },
      /Nobody has this name/,
    ],
    ['wrong use: no such command', 2, ['frobnicate'], {}, /no such command: frobnicate/],
    ['wrong use: to whom?', 2, ['send', ...who, 'x'], {}, /either --to NAME or --all/],
    ['wrong use: no text', 2, ['send', ...who, '--all'], { PARLEY_PASSWORD }, /no text/],
    [
      'wrong use: an option of another command',
      2,
      ['listen', '--to', 'bob'],
      {},
      /listen does not know --to/,
    ],
    ['wrong use: chat without a terminal', 2, ['chat'], {}, /needs a terminal/],
    [
      'not logged in: a wrong password',
      3,
      ['send', ...who, '--all', 'x'],
      { PARLEY_PASSWORD: 'wrong' },
      /wrong password/,
    ],
    ['not logged in: nobody', 3, ['send', '--all', 'x'], {}, /Who are you\?/],
    ['not logged in: no password, no terminal', 3, ['send', ...who, '--all', 'x'], {}, /PARLEY_PASSWORD/],
    ['the server does not answer', 4, ['send', ...who, '--all', 'x'], AWAY, /does not answer/],
  ])('%s: %i', async (_, exitCode, args, env, words) => {
    await client(node(), 'heidi');
    const result = await run(args, env);
    expect(result).toMatchObject({ exitCode, stdout: '', stderr: expect.stringMatching(words) });
  });

  test('--help and --version: 0, in the language that is asked for', async () => {
    expect(await run(['--version'])).toMatchObject({ exitCode: 0, stdout: '0.1.0\n' });
    expect((await run(['send', '--help'])).stdout).toContain('Exit codes');
    expect((await run(['--help'], { LANG: 'zh_CN.UTF-8' })).stdout).toContain('退出码');
    expect((await run(['--help', '--lang', 'en'], { LANG: 'zh_CN.UTF-8' })).stdout).toContain('Exit codes');
  });
});
