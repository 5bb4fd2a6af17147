#!/usr/bin/env node
/** The command `parley`: reads what is wanted, does it, ends with a code that says how it went. */
import { readFileSync } from 'node:fs';
import type { ReadStream, WriteStream } from 'node:tty';
import { runChat } from './chat-command.ts';
import { Failure } from './credentials.ts';
import { createStyle } from './format-message.ts';
import { EXIT, HELP } from './help.ts';
import { createSay } from './i18n.ts';
import { listen } from './listen.ts';
import { Left } from './prompts.ts';
import { sanitize } from './sanitize.ts';
import { PASTES_PLAIN } from './screen.ts';
import { send } from './send.ts';
import { createSessionFile, type SessionFile } from './session-file.ts';
import { type CommandName, readSettings, type Settings, systemLanguage, WrongUse } from './settings.ts';
import type { Terminal } from './terminal.ts';

/** Whatever happened: the cursor is to be seen, and pastes are as they were. */
const CLEAN = `\u001b[?25h${PASTES_PLAIN}`;
const SIGNAL_CODES = { SIGTERM: 143, SIGHUP: 129 } as const;

type Run = (settings: Settings, terminal: Terminal, keeper: SessionFile) => Promise<number>;

const RUN: Record<Exclude<CommandName, 'help' | 'serve'>, Run> = {
  async chat({ server }, terminal, keeper) {
    const { input, output, say } = terminal;
    if (!input.isTTY || !output.isTTY) throw new WrongUse(say('needsTerminal'));
    for (const [signal, code] of Object.entries(SIGNAL_CODES)) process.once(signal, () => process.exit(code));
    process.once('exit', () => {
      if (!output.destroyed) output.write(CLEAN);
    });
    // At once: a request that a server has not answered yet would keep the shell waiting.
    process.exit(await runChat({ terminal, server, keeper }));
  },
  send,
  listen,
};

async function main(argv: readonly string[]): Promise<number> {
  const settings = readSettings(argv);
  const { command, language, locale } = settings;
  if (settings.version) {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
    process.stdout.write(`${version}\n`);
    return EXIT.done;
  }
  if (settings.help || command === 'help') {
    process.stdout.write(HELP[language]);
    return EXIT.done;
  }
  if (command === 'serve') {
    await import('../main.ts');
    return EXIT.done; // the server lives on, until a signal
  }
  // They are what they are: isTTY is looked at before anything that only a terminal has is used.
  const [input, output] = [process.stdin as ReadStream, process.stdout as WriteStream];
  const style = createStyle(output.isTTY && output.hasColors()); // which looks at NO_COLOR, as the menus do
  const terminal = { input, output, say: createSay(language), style, language, locale };
  return RUN[command](settings, terminal, createSessionFile(settings.stateDir, settings.server));
}

function codeOf(error: unknown): number {
  if (error instanceof Left) return EXIT.interrupted;
  if (error instanceof Failure) {
    process.stderr.write(`parley: ${error.message}\n`);
    return error.exitCode;
  }
  if (!(error instanceof WrongUse)) {
    process.stderr.write(`parley: unexpected error: ${sanitize(String((error as Error).stack ?? error))}\n`);
    return EXIT.refused;
  }
  const say = createSay(systemLanguage());
  process.stderr.write(`parley: ${error.message}\n${say('tryHelp')}\n`);
  return EXIT.wrongUse;
}

process.exitCode = await main(process.argv.slice(2)).catch(codeOf);
