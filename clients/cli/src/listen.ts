/**
 * `parley listen`: prints incoming messages, one per line, until interrupted. A message is acknowledged only after its
 * line was written, so a broken pipe loses nothing.
 */
import { once } from 'node:events';
import type { StreamEvent, StreamState } from '@parley-chat/client';
import { authenticate, CommandError, toCommandError } from './credentials.ts';
import { messageBlock } from './format-message.ts';
import { EXIT } from './help.ts';
import { gapText } from './i18n.ts';
import { escapeJson, sanitizeLine } from './sanitize.ts';
import type { SessionFile } from './session-file.ts';
import type { Settings } from './settings.ts';
import type { Terminal } from './terminal.ts';

export async function listen(
  settings: Settings,
  terminal: Terminal,
  sessionFile: SessionFile,
): Promise<number> {
  const { output, say } = terminal;
  const { parley, close } = await authenticate(settings, terminal, sessionFile);
  const stop = new AbortController();
  let exitCode: number = EXIT.success;
  let end: Extract<StreamState, { kind: 'ended' }> | undefined;
  process.once('SIGINT', () => {
    exitCode = EXIT.interrupted;
    stop.abort();
  });
  process.once('SIGTERM', () => stop.abort());
  output.on('error', () => stop.abort()); // the reader of the pipe is gone
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
  await close();
  if (end?.problem) throw toCommandError(end.problem, terminal);
  if (end && end.reason !== 'aborted')
    throw new CommandError(say('ended', { reason: end.reason }), EXIT.notLoggedIn);
  return exitCode;
}

/** The human-readable line for messages and gaps; undefined for other events. */
function plain(event: StreamEvent, me: string, terminal: Terminal): string | undefined {
  if (event.kind === 'gap') return gapText(event.reason, terminal.say);
  if (event.kind !== 'dm' && event.kind !== 'broadcast') return undefined;
  return messageBlock(
    { ...event, text: sanitizeLine(event.text) },
    { me, ...terminal },
  )(Number.MAX_SAFE_INTEGER);
}
