/**
 * Sends one message and retries it with its idempotency key until the outcome is known; without a key it is sent once.
 * A 4xx is a definite rejection; everything else, from a reset connection to a 500, is not definite.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, NO_RESPONSE } from './client.ts';
import type { Kind, Send } from './history.ts';
import type { Session } from './session.ts';

const RETRY_MS = 250;

export type NewMessage = { kind: Kind; text: string; to?: string; padding?: string; isKeyless?: boolean };

/** Retries until the outcome is known or `isOver()`. */
export async function send(
  options: { client: Client; session: Session; now: () => number; isOver: () => boolean },
  message: NewMessage,
): Promise<Send> {
  const { client, session, now, isOver } = options;
  const { kind, text, to, padding = '', isKeyless = false } = message;
  const result: Send = {
    ...{ kind, text, from: session.username, ...(to !== undefined && { to }) },
    ...(isKeyless && { isKeyless }),
    ...{ sids: [], outcome: 'unknown', status: 0, startedAtMs: now(), endedAtMs: 0, unknowns: 0 },
  };
  while (result.outcome === 'unknown' && !isOver()) {
    if (!result.sids.includes(session.sid)) result.sids.push(session.sid);
    const response = await client
      .request('POST', to === undefined ? '/v1/broadcasts' : `/v1/dm/${to}`, {
        token: session.token,
        ...(!isKeyless && { key: text }),
        body: { text: `${text} ${padding}`.trimEnd() },
      })
      .catch(() => NO_RESPONSE);
    result.status = response.status;
    result.endedAtMs = now();
    if (response.status === 201) {
      result.outcome = 'ok';
      result.id = response.body.id;
      result.seq = response.body.seq;
    } else if (response.status === 401) await session.renew().catch(() => {});
    else if (response.status >= 400 && response.status < 500) result.outcome = 'fail';
    else {
      result.unknowns += 1;
      if (isKeyless) break;
      await sleep(RETRY_MS);
    }
  }
  return result;
}
