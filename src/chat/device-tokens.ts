/**
 * A device token says that a client has logged in to an account before. It lets nobody in: an attempt that carries one is
 * counted by itself, so that strangers who guess cannot lock the owner's devices out. A JWT under a key of its own, for one
 * account; whatever is not a good one of that account is a stranger's.
 */
import { type KeyObject, randomBytes } from 'node:crypto';
import jwt from 'jsonwebtoken';

const TYPE = 'device+jwt';
const ISSUER = 'parley';
/** Each login gives a new one. */
const TTL_DAYS = 400;

export type DeviceTokens = ReturnType<typeof createDeviceTokens>;

/** `keys`, derived for this from the secrets: the first signs, all verify. */
export function createDeviceTokens({ keys, now }: { keys: readonly KeyObject[]; now: () => number }) {
  return {
    newId: (): string => randomBytes(16).toString('base64url'),

    issue(username: string, id: string): string {
      return jwt.sign({ iat: Math.floor(now() / 1_000) }, keys[0]!, {
        algorithm: 'HS256',
        expiresIn: TTL_DAYS * 86_400,
        issuer: ISSUER,
        audience: ISSUER,
        subject: username,
        jwtid: id,
        header: { alg: 'HS256', typ: TYPE },
      });
    },

    /** The device's id; undefined for a stranger. */
    verify(token: string, username: string): string | undefined {
      for (const key of keys) {
        try {
          const { header, payload } = jwt.verify(token, key, {
            algorithms: ['HS256'],
            issuer: ISSUER,
            audience: ISSUER,
            subject: username,
            clockTimestamp: Math.floor(now() / 1_000),
            complete: true,
          });
          if (header.typ !== TYPE || typeof payload !== 'object') return undefined;
          return typeof payload.exp === 'number' ? payload.jti : undefined;
        } catch {} // of another key, or no token of ours
      }
      return undefined;
    },
  };
}
