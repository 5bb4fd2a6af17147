/** `parley send`: sends one message from the command line or a pipe. */
import { text as readAll } from 'node:stream/consumers';
import { authenticate, CommandError, toCommandError } from './credentials.ts';
import { EXIT } from './help.ts';
import { escapeJson } from './sanitize.ts';
import type { SessionFile } from './session-file.ts';
import type { Settings } from './settings.ts';
import type { Terminal } from './terminal.ts';

export async function send(
  settings: Settings,
  terminal: Terminal,
  sessionFile: SessionFile,
): Promise<number> {
  const { input, output, say } = terminal;
  // Piped input usually ends with a line break that is not part of the message.
  const text = settings.text ?? (input.isTTY ? '' : (await readAll(input)).replace(/\r?\n$/, ''));
  if (text.trim() === '') throw new CommandError(say('needsText'), EXIT.usageError);
  const { parley, close } = await authenticate(settings, terminal, sessionFile);
  const { data, problem } = await (settings.to === undefined
    ? parley.sendBroadcast(text)
    : parley.sendDirect(settings.to, text));
  await close();
  if (problem) throw toCommandError(problem, terminal);
  if (settings.json) output.write(`${escapeJson(data)}\n`);
  return EXIT.success;
}
