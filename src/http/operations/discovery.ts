/** The links to the contract, the reference and the operations. */
import type { components } from '../../contract.d.ts';
import { type Price, READ } from '../admission/price-classes.ts';
import type { Operations } from './types.ts';

export const discoveryPrices = {
  getLinks: READ,
} satisfies Record<string, Price>;

/** Relative to the URL of the call, so that they also work behind a proxy with a path prefix. */
const links: components['schemas']['Links']['links'] = {
  self: 'v1',
  contract: 'openapi.yaml',
  docs: 'docs',
  register: 'v1/register',
  login: 'v1/login',
  me: 'v1/me',
  online: 'v1/online',
  events: 'v1/events',
  broadcasts: 'v1/broadcasts',
  dm: 'v1/dm/{username}',
  conversations: 'v1/dm',
  mailbox: 'v1/mailbox',
};

export const discoveryOperations = (): Pick<Operations, keyof typeof discoveryPrices> => ({
  getLinks: async () => ({ status: 200, body: { links } }),
});
