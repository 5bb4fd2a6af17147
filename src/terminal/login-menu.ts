/** The menu before login: log in, register, quit. What was typed is kept when the server does not answer. */
import { homedir } from 'node:os';
import type { Parley, Result } from '../client/index.ts';
import { explain, isPassing } from './problems.ts';
import { askPassword, askText, choose, log } from './prompts.ts';
import { sanitizeLine } from './sanitize.ts';
import { connect } from './server.ts';
import type { SessionFile } from './session-file.ts';
import type { Terminal } from './terminal.ts';

export type Entrance = { terminal: Terminal; server: string; keeper: SessionFile };
export type Entered = { parley: Parley; me: string; isKept: boolean };

const PASSWORD_BYTES = { fewest: 8, most: 72 };
/** Name of this kind of device, kept with the session. */
export const DEVICE = 'terminal';

/** The login that is kept, if there is one and the server still knows it. */
export async function comeBack({ terminal, server, keeper }: Entrance): Promise<Entered | undefined> {
  const parley = connect({ baseUrl: server, ...keeper });
  const session = await parley.restore();
  if (!session) return undefined;
  const { problem } = await parley.getMe();
  if (!problem || isPassing(problem)) return { parley, me: session.username, isKept: true };
  log.warn(explain(problem, terminal.language), { output: terminal.output });
  return undefined;
}

/** Undefined: the person quits. */
export async function enter(entrance: Entrance): Promise<Entered | undefined> {
  const { terminal } = entrance;
  const { say } = terminal;
  for (;;) {
    const what = await choose({
      terminal,
      message: () => say('whatNow'),
      options: [
        { value: 'logIn', label: say('logIn') },
        { value: 'register', label: say('register') },
        { value: 'quit', label: say('quit') },
      ],
    });
    if (what === undefined || what === 'quit') return undefined;
    const entered = await (what === 'logIn' ? logIn(entrance) : register(entrance));
    if (entered) return entered;
  }
}

async function logIn(entrance: Entrance): Promise<Entered | undefined> {
  const { terminal } = entrance;
  const { say } = terminal;
  const username = await askText({ terminal, message: say('username'), validate: needed(terminal) });
  if (username === undefined) return undefined;
  const password = await askPassword({ terminal, message: say('password'), validate: needed(terminal) });
  if (password === undefined) return undefined;
  return begin(entrance, username, password);
}

async function register(entrance: Entrance): Promise<Entered | undefined> {
  const { terminal, server } = entrance;
  const { say } = terminal;
  const username = await askText({ terminal, message: say('username'), validate: needed(terminal) });
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
  const again = await askPassword({
    terminal,
    message: say('passwordAgain'),
    validate: (value) => (value === password ? undefined : say('passwordsDiffer')),
  });
  if (again === undefined) return undefined;
  const parley = connect({ baseUrl: server });
  const account = await untilAnswered(terminal, () => parley.register({ username, password }));
  if (!account) return undefined;
  log.success(say('registered', { name: account.username }), { output: terminal.output });
  return begin(entrance, username, password);
}

async function begin(entrance: Entrance, username: string, password: string): Promise<Entered | undefined> {
  const { terminal, server, keeper } = entrance;
  const { say } = terminal;
  const stay = await choose({
    terminal,
    message: () => say('stay'),
    options: [
      { value: 'no', label: say('stayNo') },
      { value: 'yes', label: say('stayYes', { file: keeper.file.replace(homedir(), '~') }) },
    ],
  });
  if (stay === undefined) return undefined;
  const isKept = stay === 'yes';
  // A machine that is not to remember the login is not to remember who was here either.
  const known = isKept ? keeper : { devices: { ...keeper.devices, set: () => {} } };
  const parley = connect({ baseUrl: server, ...known });
  const login = await untilAnswered(terminal, () => parley.login({ username, password, device: DEVICE }));
  if (!login) return undefined;
  const name = sanitizeLine(login.account.displayName);
  log.success(say('hello', { name }), { output: terminal.output });
  return { parley, me: login.account.username, isKept };
}

/** The same again for as long as the server is away and the person wants it. */
async function untilAnswered<Data>(
  terminal: Terminal,
  call: () => Promise<Result<Data>>,
): Promise<Data | undefined> {
  const { say, language, output } = terminal;
  for (;;) {
    const { data, problem } = await call();
    if (!problem) return data;
    log.warn(explain(problem, language), { output });
    if (!isPassing(problem)) return undefined;
    const next = await choose({
      terminal,
      message: () => say('whatNow'),
      options: [
        { value: 'again', label: say('again') },
        { value: 'back', label: say('back') },
      ],
    });
    if (next !== 'again') return undefined;
  }
}

const needed =
  ({ say }: Terminal) =>
  (value: string): string | undefined =>
    value.trim() === '' ? say('needed') : undefined;
