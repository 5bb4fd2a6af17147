/** The menu before login: log in, create an account, quit. If the server is unreachable, the input can be resent. */
import { homedir } from 'node:os';
import type { Parley, Result } from '@parley-chat/client';
import { explain, isRetryable } from './problems.ts';
import { askPassword, askText, choose, log } from './prompts.ts';
import { sanitizeLine } from './sanitize.ts';
import { connect } from './server.ts';
import type { SessionFile } from './session-file.ts';
import type { Terminal } from './terminal.ts';

export type LoginContext = { terminal: Terminal; server: string; sessionFile: SessionFile };
export type Login = { parley: Parley; me: string; staysLoggedIn: boolean };

const PASSWORD_BYTES = { fewest: 8, most: 72 };
/** The device name that the server stores with the session. */
export const DEVICE = 'terminal';

/** Restores the saved session, unless the server rejects it. */
export async function restoreLogin({
  terminal,
  server,
  sessionFile,
}: LoginContext): Promise<Login | undefined> {
  const parley = connect({ baseUrl: server, ...sessionFile });
  const session = await parley.restore();
  if (!session) return undefined;
  const { problem } = await parley.getMe();
  if (!problem || isRetryable(problem)) return { parley, me: session.username, staysLoggedIn: true };
  log.warn(explain(problem, terminal.language), { output: terminal.output });
  return undefined;
}

/** Returns undefined when the user quits. */
export async function showLoginMenu(context: LoginContext): Promise<Login | undefined> {
  const { terminal } = context;
  const { say } = terminal;
  for (;;) {
    const choice = await choose({
      terminal,
      message: () => say('whatNow'),
      options: [
        { value: 'logIn', label: say('logIn') },
        { value: 'register', label: say('register') },
        { value: 'quit', label: say('quit') },
      ],
    });
    if (choice === undefined || choice === 'quit') return undefined;
    const login = await (choice === 'logIn' ? logIn(context) : register(context));
    if (login) return login;
  }
}

async function logIn(context: LoginContext): Promise<Login | undefined> {
  const { terminal } = context;
  const { say } = terminal;
  const username = await askText({ terminal, message: say('username'), validate: required(terminal) });
  if (username === undefined) return undefined;
  const password = await askPassword({ terminal, message: say('password'), validate: required(terminal) });
  if (password === undefined) return undefined;
  return startSession(context, username, password);
}

async function register(context: LoginContext): Promise<Login | undefined> {
  const { terminal, server } = context;
  const { say } = terminal;
  const username = await askText({ terminal, message: say('username'), validate: required(terminal) });
  if (username === undefined) return undefined;
  const password = await askPassword({
    terminal,
    message: say('newPassword'),
    validate: (value) => {
      const bytes = Buffer.byteLength(value);
      return bytes < PASSWORD_BYTES.fewest || bytes > PASSWORD_BYTES.most ? say('passwordLength') : undefined;
    },
  });
  if (password === undefined) return undefined;
  const repeated = await askPassword({
    terminal,
    message: say('passwordAgain'),
    validate: (value) => (value === password ? undefined : say('passwordsDiffer')),
  });
  if (repeated === undefined) return undefined;
  const parley = connect({ baseUrl: server });
  const account = await retryWhileUnreachable(terminal, () => parley.register({ username, password }));
  if (!account) return undefined;
  log.success(say('registered', { name: account.username }), { output: terminal.output });
  return startSession(context, username, password);
}

async function startSession(
  context: LoginContext,
  username: string,
  password: string,
): Promise<Login | undefined> {
  const { terminal, server, sessionFile } = context;
  const { say } = terminal;
  const stay = await choose({
    terminal,
    message: () => say('stayLoggedIn'),
    options: [
      { value: 'no', label: say('stayNo') },
      { value: 'yes', label: say('stayYes', { file: sessionFile.file.replace(homedir(), '~') }) },
    ],
  });
  if (stay === undefined) return undefined;
  const staysLoggedIn = stay === 'yes';
  // If the user does not want to stay logged in, the device token, which names the account, is not saved either.
  const known = staysLoggedIn ? sessionFile : { devices: { ...sessionFile.devices, set: () => {} } };
  const parley = connect({ baseUrl: server, ...known });
  const login = await retryWhileUnreachable(terminal, () =>
    parley.login({ username, password, device: DEVICE }),
  );
  if (!login) return undefined;
  const name = sanitizeLine(login.account.displayName);
  log.success(say('hello', { name }), { output: terminal.output });
  return { parley, me: login.account.username, staysLoggedIn };
}

/** Repeats the call on request while the server cannot answer it. */
async function retryWhileUnreachable<Data>(
  terminal: Terminal,
  call: () => Promise<Result<Data>>,
): Promise<Data | undefined> {
  const { say, language, output } = terminal;
  for (;;) {
    const { data, problem } = await call();
    if (!problem) return data;
    log.warn(explain(problem, language), { output });
    if (!isRetryable(problem)) return undefined;
    const next = await choose({
      terminal,
      message: () => say('whatNow'),
      options: [
        { value: 'again', label: say('retry') },
        { value: 'back', label: say('back') },
      ],
    });
    if (next !== 'again') return undefined;
  }
}

const required =
  ({ say }: Terminal) =>
  (value: string): string | undefined =>
    value.trim() === '' ? say('required') : undefined;
