/** Who somebody is that comes by a pipe: --username with PARLEY_PASSWORD, or the login that chat keeps. */
import { createParley, type Parley, type Problem } from '../client/index.ts';
import { EXIT } from './help.ts';
import { DEVICE } from './login-menu.ts';
import { explain, isPassing } from './problems.ts';
import { askPassword } from './prompts.ts';
import { connect } from './server.ts';
import type { SessionFile } from './session-file.ts';
import type { Settings } from './settings.ts';
import type { Terminal } from './terminal.ts';

/** Ends the process with a word on stderr. */
export class Failure extends Error {
  readonly exitCode: number;
  constructor(message: string, exitCode: number) {
    super(message);
    this.exitCode = exitCode;
  }
}

export const failureOf = (problem: Problem, { language }: Pick<Terminal, 'language'>): Failure => {
  const isLogin = ['bad_credentials', 'logged_out', 'session_ended', 'bad_refresh_token'].includes(
    problem.code,
  );
  const code = isLogin ? EXIT.notLoggedIn : isPassing(problem) ? EXIT.unreachable : EXIT.refused;
  return new Failure(explain(problem, language), code);
};

/** `leave` ends what was begun here; a login that is kept stays. */
export type Visitor = { parley: Parley; leave(): Promise<void> };

export async function identify(
  settings: Settings,
  terminal: Terminal,
  keeper: SessionFile,
): Promise<Visitor> {
  const { server: baseUrl, username } = settings;
  const { say } = terminal;
  // What is written as JSON is escaped when it is written.
  const open = settings.json ? createParley : connect;
  if (username === undefined) {
    const parley = open({ baseUrl, ...keeper });
    if (!(await parley.restore())) throw new Failure(say('needsUsername'), EXIT.notLoggedIn);
    return { parley, leave: async () => {} };
  }
  const password = settings.password ?? (await ask(terminal));
  const parley = open({ baseUrl, devices: keeper.devices });
  const { problem } = await parley.login({ username, password, device: DEVICE });
  if (problem) throw failureOf(problem, terminal);
  return { parley, leave: async () => void (await parley.logout()) };
}

async function ask(terminal: Terminal): Promise<string> {
  const { input, say } = terminal;
  const password = input.isTTY
    ? await askPassword({ terminal, message: say('password'), validate: () => undefined })
    : undefined;
  if (password === undefined) throw new Failure(say('needsPassword'), EXIT.notLoggedIn);
  return password;
}
