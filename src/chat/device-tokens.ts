/**
 * A device token proves that a client has logged in to an account before. It does not replace the password: it only gives
 * the device a login limit of its own, so that strangers who guess passwords cannot lock out the owner. It is a JWT, signed
 * with a separate key and valid for one account. An invalid token is ignored.
 */
import { type KeyObject, randomBytes } from 'node:crypto';
import jwt from 'jsonwebtoken';

const TYPE = 'device+jwt';
const ISSUER = 'parley';
/** Long, because each login issues a new token. */
const TTL_DAYS = 400;

export type DeviceTokens = ReturnType<typeof createDeviceTokens>;

/** The first key signs; all of them verify. They are derived from the secrets for this purpose only. */
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

    /** Returns the device id, or undefined if the token is not valid for this account. */
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
        } catch {} // signed with another key, or not a device token
      }
      return undefined;
    },
  };
}
