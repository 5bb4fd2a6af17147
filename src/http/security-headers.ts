/** Headers that keep browsers from guessing types, framing pages and leaking URLs. */
import helmet from 'helmet';

export type Policy = Record<string, string[]>;

/**
 * HSTS applies to the whole host and is ignored over plain HTTP, so it is the operator's decision to turn it on.
 * Subdomains are never included: other people may run them.
 */
const hsts = (seconds: number) => (seconds > 0 ? { maxAge: seconds, includeSubDomains: false } : false);

/** For pages: all headers of helmet, with the page's own content security policy. */
export const securePage = (hstsSeconds: number, directives: Policy) =>
  helmet({
    contentSecurityPolicy: { useDefaults: false, directives },
    strictTransportSecurity: hsts(hstsSeconds),
  });

/** For all other responses, which are data and never a document. Names and values alternate. */
export function securityHeaders(hstsSeconds: number): string[] {
  const transport = hstsSeconds > 0 ? ['Strict-Transport-Security', `max-age=${hstsSeconds}`] : [];
  return [
    ...['Content-Security-Policy', "default-src 'none';frame-ancestors 'none'"],
    ...['Cross-Origin-Resource-Policy', 'same-origin'],
    ...['Referrer-Policy', 'no-referrer'],
    ...transport,
    ...['X-Content-Type-Options', 'nosniff'],
    ...['X-Frame-Options', 'SAMEORIGIN'],
  ];
}
