#!/usr/bin/env node
/** The command `parley`: parses the command line, runs the command, and sets the exit code. */
import { readFileSync } from 'node:fs';
import type { ReadStream, WriteStream } from 'node:tty';
import { BRACKETED_PASTE_OFF } from './bracketed-paste.ts';
import { runChat } from './chat-command.ts';
import { CommandError } from './credentials.ts';
import { createStyle } from './format-message.ts';
import { EXIT, HELP } from './help.ts';
import { createSay } from './i18n.ts';
import { listen } from './listen.ts';
import { UserExit } from './prompts.ts';
import { sanitize } from './sanitize.ts';
import { send } from './send.ts';
import { createSessionFile, type SessionFile } from './session-file.ts';
import { type CommandName, readSettings, type Settings, systemLanguage, UsageError } from './settings.ts';
import type { Terminal } from './terminal.ts';
import { withDefaultSize } from './window-size.ts';

/** Written on every exit: shows the cursor and turns bracketed paste off. */
const RESET_TERMINAL = `\u001b[?25h${BRACKETED_PASTE_OFF}`;
/** The package parley-chat, where the build puts this program into dist/cli. */
const PACKAGE = new URL('../../', import.meta.url);
const SIGNAL_CODES = { SIGTERM: 143, SIGHUP: 129 } as const;

type Run = (settings: Settings, terminal: Terminal, sessionFile: SessionFile) => Promise<number>;

const COMMANDS: Record<Exclude<CommandName, 'help' | 'serve'>, Run> = {
  async chat({ server }, terminal, sessionFile) {
    const { input, output, say } = terminal;
    if (!input.isTTY || !output.isTTY) throw new UsageError(say('needsTerminal'));
    for (const [signal, code] of Object.entries(SIGNAL_CODES)) process.once(signal, () => process.exit(code));
    process.once('exit', () => {
      if (!output.destroyed) output.write(RESET_TERMINAL);
    });
    // Exit explicitly: an unanswered request would keep the process alive.
    process.exit(await runChat({ terminal, server, sessionFile }));
  },
  send,
  listen,
};

async function main(argv: readonly string[]): Promise<number> {
  const settings = readSettings(argv);
  const { command, language, locale } = settings;
  if (settings.version) {
    const { version } = JSON.parse(readFileSync(new URL('package.json', PACKAGE), 'utf8'));
    process.stdout.write(`${version}\n`);
    return EXIT.success;
  }
  if (settings.help || command === 'help') {
    process.stdout.write(HELP[language]);
    return EXIT.success;
  }
  if (command === 'serve') {
    await import(new URL('dist/main.js', PACKAGE).href);
    return EXIT.success; // the server keeps running until a signal
  }
  // The casts are safe: isTTY is checked before any member that only a terminal has.
  const input = process.stdin as ReadStream;
  const output = withDefaultSize(process.stdout as WriteStream);
  const style = createStyle(output.isTTY && output.hasColors()); // hasColors respects NO_COLOR, as the menus do
  const terminal = { input, output, say: createSay(language), style, language, locale };
  return COMMANDS[command](settings, terminal, createSessionFile(settings.stateDir, settings.server));
}

function reportError(error: unknown): number {
  if (error instanceof UserExit) return EXIT.interrupted;
  if (error instanceof CommandError) {
    process.stderr.write(`parley: ${error.message}\n`);
    return error.exitCode;
  }
  if (!(error instanceof UsageError)) {
    process.stderr.write(`parley: unexpected error: ${sanitize(String((error as Error).stack ?? error))}\n`);
    return EXIT.rejected;
  }
  const say = createSay(systemLanguage());
  process.stderr.write(`parley: ${error.message}\n${say('tryHelp')}\n`);
  return EXIT.usageError;
}

process.exitCode = await main(process.argv.slice(2)).catch(reportError);
