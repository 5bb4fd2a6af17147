/**
 * Refresh tokens: `sid.username.secret`, the parts in base64url, so that a token identifies the session it refreshes. Only
 * the hash of the secret is stored.
 */
import { createHmac, type KeyObject, randomBytes } from 'node:crypto';
import { sha256 } from './sha256.ts';

/** `hash` is of the secret. */
export type RefreshToken = { username: string; sid: string; hash: string };

export const newSessionId = (): string => randomBytes(16).toString('base64url');

export function newRefreshToken(
  username: string,
  sid: string,
  secret = randomBytes(32).toString('base64url'),
): { token: string; hash: string } {
  return { token: `${sid}.${Buffer.from(username).toString('base64url')}.${secret}`, hash: sha256(secret) };
}

/**
 * The token that replaces `presented`. With a nonce it is derived, so that every retry of a refresh gets the same token, which
 * cannot be predicted without the key; without one it is random.
 */
export function nextRefreshToken(
  { username, sid, hash }: RefreshToken,
  nonceHash: string,
  key: KeyObject,
): { token: string; hash: string } {
  if (nonceHash === '') return newRefreshToken(username, sid);
  const secret = createHmac('sha256', key).update(`${hash} ${nonceHash}`).digest('base64url');
  return newRefreshToken(username, sid, secret);
}

export function parseRefreshToken(token: string): RefreshToken | undefined {
  const match = /^([\w-]{22})\.([\w-]{1,256})\.([\w-]{43})$/.exec(token);
  if (!match) return undefined;
  return {
    sid: match[1]!,
    username: Buffer.from(match[2]!, 'base64url').toString(),
    hash: sha256(match[3]!),
  };
}
