/** The access token of a request (RFC 6750): in the Authorization header and nowhere else. */
import { Problem } from '../chat/problems.ts';

export function bearerToken(authorization: string | undefined): string {
  const token = /^Bearer +([\w.~+/=-]+)$/i.exec(authorization ?? '')?.[1];
  if (token) return token;
  throw new Problem('unauthenticated', 'Send the access token as: Authorization: Bearer <token>.');
}
