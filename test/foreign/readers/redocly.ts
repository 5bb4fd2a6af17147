import { setTimeout as sleep } from 'node:timers/promises';
import { createClient, OPERATIONS, type Ops } from '../generated/redocly/client.ts';
import type { Listen } from './reader.ts';

/** It comes back after a fault; an orderly end and a refusal are the end, and the loop comes back. */
export const listen: Listen = async ({ url: serverUrl, token, signal, hear }) => {
  const client = createClient<Ops>(OPERATIONS, { serverUrl });
  client.auth.bearer(token);
  let lastId: string | undefined;
  while (!signal.aborted) {
    const headers = { ...(lastId && { 'Last-Event-ID': lastId }) };
    try {
      for await (const { id, data } of client.openStream({ headers }, { signal })) {
        lastId = id ?? lastId;
        hear(data);
      }
    } catch {}
    if (!signal.aborted) await sleep(200);
  }
};
