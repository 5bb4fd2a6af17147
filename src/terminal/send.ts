/** `parley send`: one message, from the command line or a pipe. */
import { text as readAll } from 'node:stream/consumers';
import { harmlessJson } from './harmless.ts';
import { EXIT } from './help.ts';
import type { Keeper } from './keep.ts';
import { Failure, failureOf, identify } from './login.ts';
import type { Settings } from './settings.ts';
import type { Terminal } from './terminal.ts';

export async function send(settings: Settings, terminal: Terminal, keeper: Keeper): Promise<number> {
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
  if (settings.json) output.write(`${harmlessJson(data)}\n`);
  return EXIT.done;
}
