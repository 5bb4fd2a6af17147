import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from '../generated/hey-api/client/index.ts';
import { openStream } from '../generated/hey-api/index.ts';
import type { Listen } from './reader.ts';

/** The client reconnects after an error; the loop reconnects after a normal end. */
export const listen: Listen = async ({ url: baseUrl, token, signal, onEvent }) => {
  const client = createClient({ baseUrl, auth: ({ scheme }) => (scheme === 'bearer' ? token : undefined) });
  let lastId: string | undefined;
  while (!signal.aborted) {
    const { stream } = await openStream({
      client,
      signal,
      headers: { ...(lastId && { 'Last-Event-ID': lastId }) },
      onSseEvent: ({ id }) => {
        lastId = id ?? lastId;
      },
    });
    for await (const event of stream) onEvent(event);
    if (!signal.aborted) await sleep(200);
  }
};
