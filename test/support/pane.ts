/** A terminal in the hands of a test: the command `parley` in a pane of tmux, a real pseudo-terminal. */
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { onTestFinished } from 'vitest';
import { createSessionFile } from '../../src/terminal/session-file.ts';
import { until } from './app.ts';
import { built } from './built.ts';
import { client } from './wire.ts';

export const hasTmux = spawnSync('tmux', ['-V']).status === 0;
if (!hasTmux) {
  if (process.env['CI']) throw new Error('CI must run the terminal client in a terminal: install tmux');
  process.stderr.write('\n*** LEFT OUT: no tmux here, so no terminal client was run in a terminal. ***\n\n');
}

/** `node` and its arguments, before those of `parley`. */
export const PARLEY = [process.execPath, built('terminal/main.js')] as const;

/** What a shell would do: say how the command ended and in which state it left the terminal. */
const WRAPPER = `sh -c 'echo $$ > "$0"; exec "$@"' "$@"; echo "[left $?]"; stty -a; exec cat`;
/** It would write its history into a folder that is being removed. */
const SHELL = ['env', 'PS1=shell$ ', 'HISTFILE=', 'bash', '--norc', '--noprofile'];
/** On a machine that does other things too, a process takes its time to start. */
const WITHIN_MS = 15_000;

export type Pane = {
  /** By their names: `Enter`, `C-c`, `Down`. */
  keys(...names: string[]): Promise<void>;
  type(text: string): Promise<void>;
  /** As a terminal does it: marked as a paste for who asked for that, line breaks as carriage returns. */
  paste(text: string): Promise<void>;
  /** What is to be seen, with the sequences for colours and the like. */
  looks(): Promise<string>;
  /** What is to be seen, without the blanks at the ends of lines. */
  screen(): Promise<string>;
  /** Waits until it is to be seen; answers the screen. */
  shows(what: string | RegExp, withinMs?: number): Promise<string>;
  cursor(): Promise<{ column: number; row: number; isVisible: boolean }>;
  resize(columns: number, rows: number): Promise<void>;
  kill(signal: NodeJS.Signals): void;
};

export function emptyFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'parley-pane-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

type PaneOptions = {
  columns?: number;
  rows?: number;
  lang?: string;
  stateDir?: string;
  /** `NO_COLOR` and the like. */
  env?: Record<string, string>;
  /** An interactive shell, with job control, which is given the command as if it were typed. */
  inShell?: boolean;
  /** A file that gets all that is written to the terminal, as it is. */
  record?: string;
  /** What is typed into the shell, instead of the command and its arguments, and in which folder. */
  line?: string;
  folder?: string;
};

/** Closes with the test. */
export async function openPane(args: readonly string[], options: PaneOptions = {}): Promise<Pane> {
  const { columns = 80, rows = 24, lang = 'en_GB.UTF-8', stateDir = emptyFolder() } = options;
  const folder = emptyFolder();
  const [socket, pidFile] = [join(folder, 'tmux'), join(folder, 'pid')];
  const { inShell = false } = options;
  const env = {
    ...options.env,
    PATH: process.env['PATH'],
    HOME: stateDir,
    TERM: 'xterm-256color',
    LC_CTYPE: 'C.UTF-8',
  };
  const tmux = async (...words: string[]): Promise<string> => {
    const { stdout } = await promisify(execFile)('tmux', ['-u', '-S', socket, '-f', '/dev/null', ...words], {
      env: { ...env, LANG: lang, XDG_STATE_HOME: stateDir },
    });
    return stdout;
  };
  const size = ['-x', String(columns), '-y', String(rows)];
  const run = inShell ? SHELL : ['sh', '-c', WRAPPER, 'sh', pidFile, ...PARLEY, ...args];
  const startIn = options.folder ? ['-c', options.folder] : [];
  await tmux('new-session', '-d', ...size, ...startIn, '--', ...run);
  onTestFinished(async () => void (await tmux('kill-server').catch(() => {})));

  if (options.record) await tmux('pipe-pane', '-O', `cat >> '${options.record}'`);
  const line = options.line ?? [...PARLEY, ...args].join(' ');
  if (inShell) await tmux('send-keys', '-l', `clear; ${line}\n`);

  const screen = async (): Promise<string> =>
    (await tmux('capture-pane', '-p')).replace(/ +$/gm, '').trimEnd();
  return {
    keys: async (...names) => void (await tmux('send-keys', ...names)),
    type: async (text) => void (await tmux('send-keys', '-l', text)),
    async paste(text) {
      await tmux('set-buffer', '--', text);
      await tmux('paste-buffer', '-p');
    },
    screen,
    looks: () => tmux('capture-pane', '-p', '-e'),
    async shows(what, withinMs = WITHIN_MS) {
      let seen = '';
      const isThere = async () => {
        seen = await screen();
        return typeof what === 'string' ? seen.includes(what) : what.test(seen);
      };
      await until(`to be seen: ${what}`, isThere, withinMs).catch((error: Error) => {
        throw new Error(`${error.message}\n${seen}`);
      });
      return seen;
    },
    async cursor() {
      const said = await tmux('display', '-p', '#{cursor_x} #{cursor_y} #{cursor_flag}');
      const [column = 0, row = 0, flag] = said.split(' ').map(Number);
      return { column, row, isVisible: flag === 1 };
    },
    resize: async (columns, rows) =>
      void (await tmux('resize-window', '-x', String(columns), '-y', String(rows))),
    kill: (signal) => void process.kill(Number(readFileSync(pidFile, 'utf8')), signal),
  };
}

/** Somebody who stayed logged in: `parley chat` shows the menu at once. */
export async function keptLogin(node: { url: string }, username: string): Promise<string> {
  const stateDir = emptyFolder();
  const { storage } = createSessionFile(stateDir, node.url);
  await client(node, username, { storage });
  return stateDir;
}

/** In the chat screen, talking to everybody. */
export async function openChat(
  node: { url: string },
  username: string,
  options: PaneOptions = {},
): Promise<Pane> {
  const stateDir = await keptLogin(node, username);
  const pane = await openPane(['chat', '--server', node.url], { ...options, stateDir });
  await pane.shows(/● (Talk to everybody|群聊)/);
  await pane.keys('Enter');
  await pane.shows(/(everybody|所有人) ›/);
  await pane.shows(/You are talking to|正在与/);
  return pane;
}

/** The terminal is as a shell wants it. */
export async function hasLeft(pane: Pane, exitCode: number): Promise<string> {
  const screen = await pane.shows(/; (line|min) = /); // the end of what stty says is not far
  const modes = await pane.shows(/\bicanon\b/);
  const isClean = modes.includes(`[left ${exitCode}]`) && !/-icanon|-echo\b|-isig/.test(modes);
  if (!isClean || !(await pane.cursor()).isVisible) throw new Error(`not left clean:\n${screen}`);
  return screen;
}
