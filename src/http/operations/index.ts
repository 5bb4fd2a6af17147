/** All operations of the contract, and what each costs: a file per tag. */
import type { Price } from '../admission/prices.ts';
import { accountOperations, accountPrices } from './accounts.ts';
import { discoveryOperations, discoveryPrices } from './discovery.ts';
import { healthOperations, healthPrices } from './health.ts';
import { mailboxOperations, mailboxPrices } from './mailbox.ts';
import { messageOperations, messagePrices } from './messages.ts';
import { presenceOperations, presencePrices } from './presence.ts';
import { streamOperations, streamPrices } from './stream.ts';
import type { OperationId, Operations, Services } from './types.ts';

export const PRICES: Record<OperationId, Price> = {
  ...discoveryPrices,
  ...accountPrices,
  ...presencePrices,
  ...messagePrices,
  ...mailboxPrices,
  ...streamPrices,
  ...healthPrices,
};

export const createOperations = (services: Services): Operations => ({
  ...discoveryOperations(),
  ...accountOperations(services),
  ...presenceOperations(services),
  ...messageOperations(services),
  ...mailboxOperations(services),
  ...streamOperations(services),
  ...healthOperations(services),
});
