/**
 * Somebody who sends, one message after the other, and repeats each with its key until it is known what became of it;
 * without a key it is sent once.
 * A definite no is a 4xx; everything else, from a reset connection to a 500, says nothing.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from './client.ts';
import type { Kind, Send } from './history.ts';
import type { Session } from './session.ts';

const RETRY_MS = 250;

export type Wanted = { kind: Kind; text: string; to?: string; padding?: string; isKeyless?: boolean };

/** Sends one message. Goes on until it is settled, or `isOver`. */
export async function send(
  options: { client: Client; session: Session; now: () => number; isOver: () => boolean },
  wanted: Wanted,
): Promise<Send> {
  const { client, session, now, isOver } = options;
  const { kind, text, to, padding = '', isKeyless = false } = wanted;
  const result: Send = {
    ...{ kind, text, from: session.username, ...(to !== undefined && { to }) },
    ...(isKeyless && { isKeyless }),
    ...{ sids: [], outcome: 'unknown', status: 0, startedAtMs: now(), endedAtMs: 0, unknowns: 0 },
  };
  while (result.outcome === 'unknown' && !isOver()) {
    if (!result.sids.includes(session.sid)) result.sids.push(session.sid);
    const answer = await client
      .ask('POST', to === undefined ? '/v1/broadcasts' : `/v1/dm/${to}`, {
        token: session.token,
        ...(!isKeyless && { key: text }),
        body: { text: `${text} ${padding}`.trimEnd() },
      })
      .catch(() => ({ status: 0, body: undefined }));
    result.status = answer.status;
    result.endedAtMs = now();
    if (answer.status === 201) {
      result.outcome = 'ok';
      result.id = answer.body.id;
      result.seq = answer.body.seq;
    } else if (answer.status === 401) await session.renew().catch(() => {});
    else if (answer.status >= 400 && answer.status < 500) result.outcome = 'fail';
    else {
      result.unknowns += 1;
      if (isKeyless) break;
      await sleep(RETRY_MS);
    }
  }
  return result;
}
