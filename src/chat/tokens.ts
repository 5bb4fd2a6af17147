/**
 * Access tokens: JWT (RFC 7519) of type `at+jwt` (RFC 9068), HS256 and nothing else. jsonwebtoken checks `exp` only if
 * it is present and never checks `typ`; here every claim is required. Refresh tokens are random; only their hash is stored.
 */
import { createHash, type KeyObject, randomBytes } from 'node:crypto';
import jwt, { type VerifyOptions } from 'jsonwebtoken';
import type { Caller } from './model.ts';
import { Problem } from './problems.ts';

const ISSUER = 'parley';
const TYPE = 'at+jwt';
/** Number of verified tokens to cache; about 4 MB. */
const REMEMBERED = 10_000;
const EXPECTED = {
  algorithms: ['HS256'],
  issuer: ISSUER,
  audience: ISSUER,
  complete: true,
} satisfies VerifyOptions;

export type RefreshToken = { username: string; sid: string; hash: string };
export type Tokens = ReturnType<typeof createTokens>;

/**
 * `secrets`: the first signs, all verify. They are KeyObjects, created once: given a string, jsonwebtoken first tries to parse it as a
 * public key, on every call.
 */
export function createTokens(options: {
  secrets: readonly KeyObject[];
  accessTtlSeconds: number;
  now: () => number;
}) {
  const { secrets, accessTtlSeconds, now } = options;
  const signing = secrets[0]!; // the list is never empty
  const verified = new Map<string, Caller>();

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
      const known = verified.get(token);
      if (known && known.expiresAtMs > now()) return known;
      const caller = check(token);
      if (verified.size >= REMEMBERED) verified.clear();
      verified.set(token, caller);
      return caller;
    },
  };

  function check(token: string): Caller {
    const { header, payload } = decode(token);
    if (header.typ === TYPE && typeof payload === 'object') {
      const { sub, sid, exp } = payload as Record<string, unknown>;
      if (typeof sub === 'string' && typeof sid === 'string' && typeof exp === 'number') {
        return { username: sub, sid, expiresAtMs: exp * 1_000 };
      }
    }
    throw new Problem('unauthenticated', 'The access token is not one of ours.');
  }

  function decode(token: string): jwt.Jwt {
    const clockTimestamp = Math.floor(now() / 1_000);
    for (const secret of secrets) {
      try {
        return jwt.verify(token, secret, { ...EXPECTED, clockTimestamp });
      } catch (error) {
        if (error instanceof jwt.TokenExpiredError) {
          throw new Problem('token_expired', 'The access token has expired: call refresh.');
        }
        // Try the next secret only for a wrong signature; any other error is the same for all secrets.
        if (!(error instanceof Error && error.message === 'invalid signature')) break;
      }
    }
    throw new Problem('unauthenticated', 'The access token is not valid.');
  }
}

export const hashOf = (secret: string) => createHash('sha256').update(secret).digest('base64url');

/**
 * `sid.username.secret`, the parts in base64url: it identifies the session it refreshes.
 * `secret` is random by default.
 */
export function newRefreshToken(
  username: string,
  sid: string,
  secret = randomBytes(32).toString('base64url'),
): { token: string; hash: string } {
  return { token: `${sid}.${Buffer.from(username).toString('base64url')}.${secret}`, hash: hashOf(secret) };
}

export function parseRefreshToken(token: string): RefreshToken | undefined {
  const match = /^([\w-]{22})\.([\w-]{1,256})\.([\w-]{43})$/.exec(token);
  if (!match) return undefined;
  return {
    sid: match[1]!,
    username: Buffer.from(match[2]!, 'base64url').toString(),
    hash: hashOf(match[3]!),
  };
}

export const newSessionId = (): string => randomBytes(16).toString('base64url');
