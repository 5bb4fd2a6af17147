/**
 * Access tokens: JWT (RFC 7519) of type `at+jwt` (RFC 9068), HS256 and nothing else. jsonwebtoken checks `exp` only if
 * it is present and never checks `typ`; here every claim is required.
 */
import type { KeyObject } from 'node:crypto';
import jwt, { type VerifyOptions } from 'jsonwebtoken';
import type { Caller } from './model.ts';
import { Problem } from './problems.ts';

const ISSUER = 'parley';
const TYPE = 'at+jwt';
/** Number of verified tokens in the cache; about 4 MB. */
const CACHE_SIZE = 10_000;
const EXPECTED = {
  algorithms: ['HS256'],
  issuer: ISSUER,
  audience: ISSUER,
  complete: true,
} satisfies VerifyOptions;

export type AccessTokens = ReturnType<typeof createAccessTokens>;

/**
 * The first secret signs; all of them verify. They are KeyObjects, because jsonwebtoken would try to parse a string as a public
 * key on every call.
 */
export function createAccessTokens(options: {
  secrets: readonly KeyObject[];
  accessTtlSeconds: number;
  now: () => number;
}) {
  const { secrets, accessTtlSeconds, now } = options;
  const signing = secrets[0]!; // there is at least one
  const verified = new Map<string, Caller>();

  function decode(token: string): jwt.Jwt {
    const clockTimestamp = Math.floor(now() / 1_000);
    for (const secret of secrets) {
      try {
        return jwt.verify(token, secret, { ...EXPECTED, clockTimestamp });
      } catch (error) {
        if (error instanceof jwt.TokenExpiredError) {
          throw new Problem(
            'token_expired',
            'The access token has expired. Get a new one with POST /v1/refresh.',
          );
        }
        // Try the next secret only for a wrong signature; any other error is the same for all secrets.
        if (!(error instanceof Error && error.message === 'invalid signature')) break;
      }
    }
    throw new Problem('unauthenticated', 'The access token is not valid. Log in again with POST /v1/login.');
  }

  return {
    issue({ username, sid }: { username: string; sid: string }): string {
      return jwt.sign({ sid, iat: Math.floor(now() / 1_000) }, signing, {
        algorithm: 'HS256',
        expiresIn: accessTtlSeconds,
        issuer: ISSUER,
        audience: ISSUER,
        subject: username,
        header: { alg: 'HS256', typ: TYPE },
      });
    },

    /** A verified token stays valid until it expires, so its signature is checked once. */
    verify(token: string): Caller {
      const cached = verified.get(token);
      if (cached && cached.expiresAtMs > now()) return cached;
      const caller = callerOf(decode(token));
      if (verified.size >= CACHE_SIZE) verified.clear();
      verified.set(token, caller);
      return caller;
    },
  };
}

/** Throws a problem unless the token has every claim of an access token. */
function callerOf({ header, payload }: jwt.Jwt): Caller {
  if (header.typ === TYPE && typeof payload === 'object') {
    const { sub, sid, exp } = payload as Record<string, unknown>;
    if (typeof sub === 'string' && typeof sid === 'string' && typeof exp === 'number') {
      return { username: sub, sid, expiresAtMs: exp * 1_000 };
    }
  }
  throw new Problem('unauthenticated', 'This is not an access token of Parley. Get one with POST /v1/login.');
}
