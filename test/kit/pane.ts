/** Runs the `parley` command in a tmux pane, a real pseudo-terminal. */
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { onTestFinished } from 'vitest';
import { createSessionFile } from '../../clients/cli/src/session-file.ts';
import { until } from './app.ts';
import { built } from './built.ts';
import { client } from './wire.ts';

export const hasTmux = spawnSync('tmux', ['-V']).status === 0;
if (!hasTmux) {
  if (process.env['CI']) throw new Error('CI must run the terminal tests: install tmux');
  process.stderr.write('\n*** SKIPPED: the terminal tests need tmux, which is not installed. ***\n\n');
}

/** The command line of `parley`; append its arguments. */
export const PARLEY = [process.execPath, built('cli/main.js')] as const;

/** Prints the exit code of the command and the terminal modes that it left behind. */
const WRAPPER = `sh -c 'echo $$ > "$0"; exec "$@"' "$@"; echo "[exit $?]"; stty -a; exec cat`;
/** No history file: its folder is removed with the test. */
const SHELL = ['env', 'PS1=shell$ ', 'HISTFILE=', 'bash', '--norc', '--noprofile'];
/** Generous: processes start slowly on a busy machine. */
const WITHIN_MS = 15_000;

export type Pane = {
  /** Sends keys by tmux name: `Enter`, `C-c`, `Down`. */
  keys(...names: string[]): Promise<void>;
  type(text: string): Promise<void>;
  /** Pastes like a terminal: bracketed if the program enabled it, line breaks as carriage returns. */
  paste(text: string): Promise<void>;
  /** The visible screen, with escape sequences for styles. */
  styledScreen(): Promise<string>;
  /** The visible screen as plain text, without trailing spaces. */
  screen(): Promise<string>;
  /** Waits until the text is visible and returns the screen. */
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
  /** Extra environment variables, such as `NO_COLOR`. */
  env?: Record<string, string>;
  /** Run an interactive shell with job control and type the command into it. */
  inShell?: boolean;
  /** A file that receives the raw output. */
  record?: string;
  /** With `inShell`: the line to type instead of the command and its arguments, and the folder. */
  line?: string;
  folder?: string;
};

/** Opens a pane that is closed at the end of the test. */
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
    styledScreen: () => tmux('capture-pane', '-p', '-e'),
    async shows(what, withinMs = WITHIN_MS) {
      let current = '';
      const isVisible = async () => {
        current = await screen();
        return typeof what === 'string' ? current.includes(what) : what.test(current);
      };
      await until(`visible: ${what}`, isVisible, withinMs).catch((error: Error) => {
        throw new Error(`${error.message}\n${current}`);
      });
      return current;
    },
    async cursor() {
      const position = await tmux('display', '-p', '#{cursor_x} #{cursor_y} #{cursor_flag}');
      const [column = 0, row = 0, flag] = position.split(' ').map(Number);
      return { column, row, isVisible: flag === 1 };
    },
    resize: async (columns, rows) =>
      void (await tmux('resize-window', '-x', String(columns), '-y', String(rows))),
    kill: (signal) => void process.kill(Number(readFileSync(pidFile, 'utf8')), signal),
  };
}

/** Returns the state folder of a user who stayed logged in: `parley chat` shows the menu at once. */
export async function storedLogin(node: { url: string }, username: string): Promise<string> {
  const stateDir = emptyFolder();
  const { storage } = createSessionFile(stateDir, node.url);
  await client(node, username, { storage });
  return stateDir;
}

/** Logs in from the first menu, stays logged in, and waits for the second menu. */
export async function logInFromMenu(pane: Pane, username: string, withinMs?: number): Promise<void> {
  await pane.shows('● Log in', withinMs);
  await pane.keys('Enter');
  await pane.shows(/◆ {2}Username/);
  await pane.type(username);
  await pane.keys('Enter');
  await pane.shows(/◆ {2}Password/);
  await pane.type('correct horse battery');
  await pane.keys('Enter');
  await pane.shows('Stay logged in on this computer?');
  await pane.keys('Enter');
  await pane.shows('● Talk to everybody');
}

/** Opens the chat screen with everybody as the target. */
export async function openChat(
  node: { url: string },
  username: string,
  options: PaneOptions = {},
): Promise<Pane> {
  const stateDir = await storedLogin(node, username);
  const pane = await openPane(['chat', '--server', node.url], { ...options, stateDir });
  await pane.shows(/● (Talk to everybody|群聊)/);
  await pane.keys('Enter');
  await pane.shows(/(everybody|所有人) ›/);
  await pane.shows(/Chatting with|正在与/);
  return pane;
}

/** Waits for the exit and checks that the terminal is restored; returns the screen. */
export async function exitsCleanly(pane: Pane, exitCode: number): Promise<string> {
  const screen = await pane.shows(/; (line|min) = /); // stty is still printing
  const modes = await pane.shows(/\bicanon\b/);
  const isClean = modes.includes(`[exit ${exitCode}]`) && !/-icanon|-echo\b|-isig/.test(modes);
  if (!isClean || !(await pane.cursor()).isVisible) throw new Error(`terminal not restored:\n${screen}`);
  return screen;
}
