import { setTimeout as sleep } from 'node:timers/promises';
import { createClient, OPERATIONS, type Ops } from '../generated/redocly/client.ts';
import type { Listen } from './reader.ts';

/** The client reconnects after an error; the loop reconnects after a normal end or an error status. */
export const listen: Listen = async ({ url: serverUrl, token, signal, onEvent }) => {
  const client = createClient<Ops>(OPERATIONS, { serverUrl });
  client.auth.bearer(token);
  let lastId: string | undefined;
  while (!signal.aborted) {
    const headers = { ...(lastId && { 'Last-Event-ID': lastId }) };
    try {
      for await (const { id, data } of client.openStream({ headers }, { signal })) {
        lastId = id ?? lastId;
        onEvent(data);
      }
    } catch {}
    if (!signal.aborted) await sleep(200);
  }
};
