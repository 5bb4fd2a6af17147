/** Authentication for `send` and `listen`: --username with PARLEY_PASSWORD, or the session saved by `parley chat`. */
import { createParley, type Parley, type Problem } from '@parley-chat/client';
import { EXIT } from './help.ts';
import { DEVICE } from './login-menu.ts';
import { explain, isRetryable } from './problems.ts';
import { askPassword } from './prompts.ts';
import { connect } from './server.ts';
import type { SessionFile } from './session-file.ts';
import type { Settings } from './settings.ts';
import type { Terminal } from './terminal.ts';

/** Ends the process with this message on stderr and this exit code. */
export class CommandError extends Error {
  readonly exitCode: number;
  constructor(message: string, exitCode: number) {
    super(message);
    this.exitCode = exitCode;
  }
}

export const toCommandError = (problem: Problem, { language }: Pick<Terminal, 'language'>): CommandError => {
  const isLogin = ['bad_credentials', 'logged_out', 'session_ended', 'bad_refresh_token'].includes(
    problem.code,
  );
  const code = isLogin ? EXIT.notLoggedIn : isRetryable(problem) ? EXIT.unreachable : EXIT.rejected;
  return new CommandError(explain(problem, language), code);
};

/** `close` ends a session that was started here; a saved session stays. */
export type Authenticated = { parley: Parley; close(): Promise<void> };

export async function authenticate(
  settings: Settings,
  terminal: Terminal,
  sessionFile: SessionFile,
): Promise<Authenticated> {
  const { server: baseUrl, username } = settings;
  const { say } = terminal;
  // With --json, texts are escaped on output instead of sanitized on input.
  const open = settings.json ? createParley : connect;
  if (username === undefined) {
    const parley = open({ baseUrl, ...sessionFile });
    if (!(await parley.restore())) throw new CommandError(say('needsUsername'), EXIT.notLoggedIn);
    return { parley, close: async () => {} };
  }
  const password = settings.password ?? (await promptForPassword(terminal));
  const parley = open({ baseUrl, devices: sessionFile.devices });
  const { problem } = await parley.login({ username, password, device: DEVICE });
  if (problem) throw toCommandError(problem, terminal);
  return { parley, close: async () => void (await parley.logout()) };
}

async function promptForPassword(terminal: Terminal): Promise<string> {
  const { input, say } = terminal;
  const password = input.isTTY
    ? await askPassword({ terminal, message: say('password'), validate: () => undefined })
    : undefined;
  if (password === undefined) throw new CommandError(say('needsPassword'), EXIT.notLoggedIn);
  return password;
}
