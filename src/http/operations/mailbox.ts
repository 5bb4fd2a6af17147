/** Messages that were not acknowledged. */
import { type Price, READ_PAGE, WRITE } from '../admission/price-classes.ts';
import type { Operations, Services } from './types.ts';

export const mailboxPrices = {
  getMailbox: READ_PAGE,
  ackMailbox: WRITE,
} satisfies Record<string, Price>;

export function mailboxOperations({ mailbox }: Services): Pick<Operations, keyof typeof mailboxPrices> {
  return {
    getMailbox: async ({ caller, query, signal }) => ({
      status: 200,
      body: await mailbox.list(caller, query.limit ?? 100, query.after, signal),
    }),
    ackMailbox: async ({ caller, body, signal }) => ({
      status: 200,
      body: await mailbox.ack(caller, body.upTo, signal),
    }),
  };
}
