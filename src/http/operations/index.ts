/** All operations of the contract: a file per tag. */
import { accountOperations } from './accounts.ts';
import { discoveryOperations } from './discovery.ts';
import { healthOperations } from './health.ts';
import { mailboxOperations } from './mailbox.ts';
import { messageOperations } from './messages.ts';
import { presenceOperations } from './presence.ts';
import { streamOperations } from './stream.ts';
import type { Operations, Services } from './types.ts';

export const createOperations = (services: Services): Operations => ({
  ...discoveryOperations(),
  ...accountOperations(services),
  ...presenceOperations(services),
  ...messageOperations(services),
  ...mailboxOperations(services),
  ...streamOperations(services),
  ...healthOperations(services),
});
