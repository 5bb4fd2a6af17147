/** Headers that keep browsers from guessing types, framing pages and leaking addresses. */
import helmet from 'helmet';

export type Policy = Record<string, string[]>;

/**
 * HSTS is a promise for the host, not for Parley: over plain HTTP nobody hears it, and behind TLS it is the operator's to
 * make. Subdomains are never included: they may be other people's.
 */
const promise = (seconds: number) => (seconds > 0 ? { maxAge: seconds, includeSubDomains: false } : false);

/** For pages: all headers that helmet knows, with a policy of the page's own. */
export const securePage = (hstsSeconds: number, directives: Policy) =>
  helmet({
    contentSecurityPolicy: { useDefaults: false, directives },
    strictTransportSecurity: promise(hstsSeconds),
  });

/** For all other responses, which are data and never a document. Names and values, one after the other. */
export function securityHeaders(hstsSeconds: number): string[] {
  const hsts = hstsSeconds > 0 ? ['Strict-Transport-Security', `max-age=${hstsSeconds}`] : [];
  return [
    ...['Content-Security-Policy', "default-src 'none';frame-ancestors 'none'"],
    ...['Cross-Origin-Resource-Policy', 'same-origin'],
    ...['Referrer-Policy', 'no-referrer'],
    ...hsts,
    ...['X-Content-Type-Options', 'nosniff'],
    ...['X-Frame-Options', 'SAMEORIGIN'],
  ];
}
