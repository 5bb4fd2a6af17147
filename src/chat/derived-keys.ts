/**
 * Keys for purposes of their own, derived from the secrets that sign access tokens (HKDF, RFC 5869). They rotate with
 * those, and what is made with one of them is worthless for any other purpose.
 */
import { createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';

export function deriveKey(secret: string, purpose: string): KeyObject {
  return createSecretKey(Buffer.from(hkdfSync('sha256', secret, '', `parley ${purpose}`, 32)));
}
