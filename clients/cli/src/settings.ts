/**
 * The settings from the command line and the environment. The password is not accepted on the command line, which other
 * users of the machine can read.
 */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { LANGUAGES, type Language, languageOf } from './i18n.ts';

const OPTIONS = {
  server: { type: 'string' },
  lang: { type: 'string' },
  username: { type: 'string' },
  to: { type: 'string' },
  all: { type: 'boolean' },
  json: { type: 'boolean' },
  'no-ack': { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'V' },
} as const satisfies NonNullable<ParseArgsConfig['options']>;

/** The options of each command, besides --server, --lang and --help. */
const COMMANDS = {
  chat: ['version'],
  send: ['username', 'to', 'all', 'json'],
  listen: ['username', 'json', 'no-ack'],
  serve: [],
  help: [],
} as const satisfies Record<string, readonly (keyof typeof OPTIONS)[]>;

export type CommandName = keyof typeof COMMANDS;
export type Settings = {
  command: CommandName;
  server: string;
  language: Language;
  locale: string;
  stateDir: string;
  username: string | undefined;
  password: string | undefined;
  to: string | undefined;
  all: boolean;
  json: boolean;
  acknowledge: boolean;
  help: boolean;
  version: boolean;
  text: string | undefined;
};

/** Invalid command line; the message is shown with a hint to --help. */
export class UsageError extends Error {}

type Environment = Record<string, string | undefined>;

export function readSettings(argv: readonly string[], env: Environment = process.env): Settings {
  const [first = 'chat', ...rest] = argv;
  const isCommand = !first.startsWith('-');
  if (isCommand && !Object.hasOwn(COMMANDS, first)) throw new UsageError(`unknown command: ${first}`);
  const command = (isCommand ? first : 'chat') as CommandName; // checked above
  const { values, positionals } = parseOptions(command, isCommand ? rest : [...argv]);

  const language = LANGUAGES.find((each) => each === values.lang) ?? systemLanguage(env);
  if (values.lang !== undefined && language !== values.lang)
    throw new UsageError(`--lang must be one of: ${LANGUAGES.join(', ')}`);
  if (command === 'send' && !values.help && (values.to !== undefined) === (values.all === true))
    throw new UsageError('send needs either --to NAME or --all');

  return {
    command,
    server: parseServer(values.server ?? env['PARLEY_SERVER'] ?? 'http://127.0.0.1:3000'),
    language,
    locale: language === 'zh' ? 'zh-CN' : 'en-GB',
    stateDir: env['XDG_STATE_HOME'] || join(homedir(), '.local', 'state'),
    username: values.username,
    password: env['PARLEY_PASSWORD'],
    to: values.to,
    all: values.all === true,
    json: values.json === true,
    acknowledge: values['no-ack'] !== true,
    help: values.help === true || command === 'help',
    version: values.version === true,
    text: positionals.length > 0 ? positionals.join(' ') : undefined,
  };
}

export const systemLanguage = (env: Environment = process.env): Language =>
  languageOf(env['LC_ALL'] || env['LC_MESSAGES'] || env['LANG']);

function parseOptions(command: CommandName, args: string[]) {
  try {
    const { values, positionals } = parseArgs({
      args,
      options: OPTIONS,
      allowPositionals: command === 'send',
    });
    const allowed: readonly string[] = [...COMMANDS[command], 'server', 'lang', 'help'];
    const unknown = Object.keys(values).find((name) => !allowed.includes(name));
    if (unknown) throw new UsageError(`${command} does not support --${unknown}`);
    return { values, positionals };
  } catch (error) {
    throw error instanceof UsageError ? error : new UsageError((error as Error).message);
  }
}

function parseServer(server: string): string {
  const url = URL.canParse(server) ? new URL(server) : undefined;
  if (!url || !/^https?:$/.test(url.protocol)) throw new UsageError(`not the address of a server: ${server}`);
  return url.href.replace(/\/+$/, '');
}
