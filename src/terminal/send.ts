/** `parley send`: one message, from the command line or a pipe. */
import { text as readAll } from 'node:stream/consumers';
import { Failure, failureOf, identify } from './credentials.ts';
import { EXIT } from './help.ts';
import { escapeJson } from './sanitize.ts';
import type { SessionFile } from './session-file.ts';
import type { Settings } from './settings.ts';
import type { Terminal } from './terminal.ts';

export async function send(settings: Settings, terminal: Terminal, keeper: SessionFile): Promise<number> {
  const { input, output, say } = terminal;
  // A pipe ends with a line break that nobody meant to send.
  const text = settings.text ?? (input.isTTY ? '' : (await readAll(input)).replace(/\r?\n$/, ''));
  if (text.trim() === '') throw new Failure(say('needsText'), EXIT.wrongUse);
  const { parley, leave } = await identify(settings, terminal, keeper);
  const { data, problem } = await (settings.to === undefined
    ? parley.sendBroadcast(text)
    : parley.sendDirect(settings.to, text));
  await leave();
  if (problem) throw failureOf(problem, terminal);
  if (settings.json) output.write(`${escapeJson(data)}\n`);
  return EXIT.done;
}
