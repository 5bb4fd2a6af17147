/**
 * Sends messages of a talk, one after another, so that they arrive in the order in which they were written. What fails
 * stays where it was written, until somebody tries again or discards it; all attempts have one idempotency key.
 */
import type { Message, Parley, Result } from '@parley-chat/client';
import { type Conversation, EVERYBODY, insert, type Outgoing } from './conversation.ts';
import type { Store } from './state.ts';

export type Sending = ReturnType<typeof createSending>;

export const LONGEST_TEXT = 4_000;
/** What cannot be seen and the server refuses: control characters, halves of pairs. Pasting from a terminal brings them. */
const UNSENDABLE = /(?![\t\n])[\p{Cc}\p{Cs}]/gu;

export const cleaned = (text: string): string => text.replace(UNSENDABLE, '').trimEnd();
/** As the contract counts: code points. */
export const lengthOf = (text: string): number => [...text].length;

function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

export function createSending(parley: Parley, { state, changed }: Store) {
  const queues = new WeakMap<Conversation, Promise<void>>();

  function post({ name }: Conversation, { text, idempotencyKey }: Outgoing): Promise<Result<Message>> {
    if (name === EVERYBODY) return parley.sendBroadcast(text, { idempotencyKey });
    return parley.sendDirect(name, text, { idempotencyKey });
  }

  async function attempt(talk: Conversation, outgoing: Outgoing): Promise<void> {
    if (state.talks.get(talk.name) !== talk || !talk.outgoing.includes(outgoing)) return;
    const { data, problem } = await post(talk, outgoing);
    if (data) {
      insert(talk, [data]);
      remove(talk, outgoing);
    } else outgoing.failure = problem.code;
    changed();
  }

  function queue(talk: Conversation, outgoing: Outgoing): void {
    outgoing.failure = undefined;
    queues.set(
      talk,
      (queues.get(talk) ?? Promise.resolve()).then(() => attempt(talk, outgoing)),
    );
    changed();
  }

  function remove(talk: Conversation, outgoing: Outgoing): void {
    talk.outgoing = talk.outgoing.filter((each) => each !== outgoing);
    changed();
  }

  return {
    send(talk: Conversation, text: string): void {
      const outgoing: Outgoing = {
        idempotencyKey: newKey(),
        text,
        sentAt: new Date().toISOString(),
        failure: undefined,
      };
      talk.outgoing = [...talk.outgoing, outgoing];
      queue(talk, outgoing);
    },
    again: queue,
    discard: remove,
  };
}
