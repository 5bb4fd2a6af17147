/** The event stream, and tickets that open one. */
import { type Price, WRITE } from '../admission/price-classes.ts';
import type { Operations, Services } from './types.ts';

export const streamPrices = {
  // The price of opening it. Its initial replay is charged in addition, and waits for points.
  openStream: { points: 20, places: 4, answerKiB: 0 },
  createTicket: WRITE,
} satisfies Record<string, Price>;

export function streamOperations({ hub, tickets }: Services): Pick<Operations, keyof typeof streamPrices> {
  return {
    openStream: async ({ caller, query, header }) => ({
      status: 200,
      stream: (answer) =>
        hub.open(answer, {
          ...caller,
          lastEventId: eventId(header['Last-Event-ID']) ?? eventId(query.after),
          presence: query.presence ?? 'all',
          heartbeat: query.heartbeat ?? 'comment',
        }),
    }),
    createTicket: async ({ caller }) => ({
      status: 201,
      body: await tickets.issue(caller),
    }),
  };
}

/** An empty id is none (WHATWG HTML, section 9.2.6): some clients send the header empty, or twice and empty. */
const eventId = (header: string | undefined): string | undefined =>
  header !== undefined && /[^\s,]/.test(header) ? header : undefined;
