/** What keeps browsers from guessing, framing and leaking: helmet's headers, as every answer carries them. */
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
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

/** For all other answers, where they are the same every time: asked once. Names and values, one after the other. */
export function securityHeaders(hstsSeconds: number): string[] {
  const found: string[] = [];
  helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
    },
    strictTransportSecurity: promise(hstsSeconds),
    // These say something about pages only.
    crossOriginOpenerPolicy: false,
    originAgentCluster: false,
    xDnsPrefetchControl: false,
    xDownloadOptions: false,
    xPermittedCrossDomainPolicies: false,
    xXssProtection: false,
  })(
    new IncomingMessage(new Socket()),
    {
      setHeader: (name: string, value: string) => found.push(name, value),
      removeHeader: () => {},
    } as never, // all that helmet uses of a response
    () => {},
  );
  return found;
}
