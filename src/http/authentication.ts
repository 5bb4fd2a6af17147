/** Authenticates requests: one authenticator for each security scheme of the contract. */
import { parse } from 'node:querystring';
import type { Caller } from '../chat/model.ts';
import { Problem } from '../chat/problems.ts';
import type { ParleyRequest } from './request-context.ts';

/** The names in `components.securitySchemes`; the contract is checked against them at start-up. */
export const SECURITY_SCHEMES = ['bearerAuth', 'ticket'] as const;
export type SecurityScheme = (typeof SECURITY_SCHEMES)[number];

export type Authenticator = {
  /** Undefined if the request carries no credential of this scheme. */
  credentialOf: (req: ParleyRequest) => string | undefined;
  /** Throws a problem for a credential that is not valid. */
  verify: (credential: string) => Caller | Promise<Caller>;
  /** Verifying a single-use credential consumes it, so it happens only once the request is certain to be admitted. */
  isSingleUse: boolean;
};
export type Authenticators = Record<SecurityScheme, Authenticator>;
export type Credential = { text: string; authenticator: Authenticator };

/** Both functions return the caller, and throw a problem for a credential that is not valid. */
export function createAuthenticators(options: {
  verifyToken: (token: string) => Caller;
  redeemTicket: (ticket: string) => Promise<Caller>;
}): Authenticators {
  return {
    /** RFC 6750: in the Authorization header and nowhere else. */
    bearerAuth: {
      credentialOf: (req) => req.headers.authorization || undefined,
      verify: (header) => options.verifyToken(bearerToken(header)),
      isSingleUse: false,
    },
    ticket: {
      credentialOf: (req) => {
        const ticket = req.target.query && parse(req.target.query)['ticket'];
        return ticket ? String(ticket) : undefined;
      },
      verify: options.redeemTicket,
      isSingleUse: true,
    },
  };
}

/** The first credential that the request carries, in the order of `schemes`; undefined if the operation is public. */
export function findCredential(
  authenticators: Authenticators,
  schemes: readonly SecurityScheme[],
  req: ParleyRequest,
): Credential | undefined {
  if (schemes.length === 0) return undefined;
  for (const scheme of schemes) {
    const authenticator = authenticators[scheme];
    const text = authenticator.credentialOf(req);
    if (text !== undefined) return { text, authenticator };
  }
  throw unauthenticated();
}

function bearerToken(header: string): string {
  const token = /^Bearer +([\w.~+/=-]+)$/i.exec(header)?.[1];
  if (token) return token;
  throw unauthenticated();
}

const unauthenticated = (): Problem =>
  new Problem('unauthenticated', 'Send the access token as: Authorization: Bearer <token>.');
