/** Who is online. */
import { type Price, READ_PAGE } from '../admission/price-classes.ts';
import type { Operations, Services } from './types.ts';

export const presencePrices = {
  // A thousand names of the greatest length.
  listOnline: { ...READ_PAGE, points: 10, answerKiB: 512 },
} satisfies Record<string, Price>;

export function presenceOperations({ presence }: Services): Pick<Operations, keyof typeof presencePrices> {
  return {
    listOnline: async ({ query, signal }) => ({
      status: 200,
      body: await presence.list(query.limit ?? 100, query.cursor ?? null, signal),
    }),
  };
}
