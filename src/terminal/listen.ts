/**
 * `parley listen`: what comes, one line each, until it is interrupted. A message is acknowledged when its line was
 * written, so a pipe that breaks loses nothing.
 */
import { once } from 'node:events';
import type { StreamEvent, StreamState } from '../client/index.ts';
import { Failure, failureOf, identify } from './credentials.ts';
import { messageBlock } from './format-message.ts';
import { EXIT } from './help.ts';
import { escapeJson, sanitizeLine } from './sanitize.ts';
import type { SessionFile } from './session-file.ts';
import type { Settings } from './settings.ts';
import type { Terminal } from './terminal.ts';

export async function listen(settings: Settings, terminal: Terminal, keeper: SessionFile): Promise<number> {
  const { output, say } = terminal;
  const { parley, leave } = await identify(settings, terminal, keeper);
  const stop = new AbortController();
  let exitCode: number = EXIT.done;
  let end: Extract<StreamState, { kind: 'ended' }> | undefined;
  process.once('SIGINT', () => {
    exitCode = EXIT.interrupted;
    stop.abort();
  });
  process.once('SIGTERM', () => stop.abort());
  output.on('error', () => stop.abort()); // who read the pipe is gone
  const stream = parley.events({
    signal: stop.signal,
    acknowledge: settings.acknowledge,
    ...(!settings.json && { presence: 'off' as const }),
    onState: (state) => {
      if (state.kind === 'ended') end = state;
    },
  });
  for await (const event of stream) {
    const line = settings.json ? escapeJson(event) : plain(event, parley.session?.username ?? '', terminal);
    if (line === undefined) continue;
    if (!output.write(`${line}\n`)) await once(output, 'drain', { signal: stop.signal }).catch(() => {});
    if (stop.signal.aborted) break;
  }
  await leave();
  if (end?.problem) throw failureOf(end.problem, terminal);
  if (end && end.reason !== 'aborted')
    throw new Failure(say('ended', { reason: end.reason }), EXIT.notLoggedIn);
  return exitCode;
}

/** For people: messages and what is missing. */
function plain(event: StreamEvent, me: string, terminal: Terminal): string | undefined {
  if (event.kind === 'gap') return terminal.say('missing', { reason: event.reason });
  if (event.kind !== 'dm' && event.kind !== 'broadcast') return undefined;
  return messageBlock(
    { ...event, text: sanitizeLine(event.text) },
    { me, ...terminal },
  )(Number.MAX_SAFE_INTEGER);
}
