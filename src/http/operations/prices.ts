/** The price of each operation. It stands beside the operation, in the file of its tag. */
import type { Price } from '../admission/price-classes.ts';
import { accountPrices } from './accounts.ts';
import { discoveryPrices } from './discovery.ts';
import { healthPrices } from './health.ts';
import { mailboxPrices } from './mailbox.ts';
import { messagePrices } from './messages.ts';
import { presencePrices } from './presence.ts';
import { streamPrices } from './stream.ts';
import type { OperationId } from './types.ts';

export const PRICES: Record<OperationId, Price> = {
  ...discoveryPrices,
  ...accountPrices,
  ...presencePrices,
  ...messagePrices,
  ...mailboxPrices,
  ...streamPrices,
  ...healthPrices,
};
