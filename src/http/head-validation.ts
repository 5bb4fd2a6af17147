/**
 * What a request must be before anybody looks at it: its target can be read, and it is meant for us. Owns the look at
 * `Host`: exactly one (RFC 9112, section 3.2), of a host that this server answers for.
 */
import { invalid, Problem } from '../chat/problems.ts';
import type { HostCheck } from '../hosts.ts';
import type { ParleyRequest } from './request-context.ts';
import { parseTarget } from './request-target.ts';

/** Fills in `req.target`. Answers what is wrong with the request, if anything. */
export function createHeadValidation(check: HostCheck) {
  return (req: ParleyRequest): Problem | undefined => {
    const target = parseTarget(req.method ?? '', req.url ?? '');
    if (!target) {
      const rule = 'Send a path and a query as RFC 3986 has them, percent-encoded, without a fragment.';
      return new Problem('validation_failed', `The request target cannot be read. ${rule}`);
    }
    req.target = target;
    if (target.authority !== undefined) req.url = target.path + (target.query && `?${target.query}`);
    const count = hostCount(req.rawHeaders);
    if (count > 1) return invalid('header/Host', 'must be sent once');
    if (count === 0 && req.httpVersion !== '1.0') return invalid('header/Host', 'is missing');
    const byHeader = count === 1 ? misdirected(check, req.headers.host ?? '') : undefined;
    if (byHeader || target.authority === undefined) return byHeader;
    return misdirected(check, target.authority);
  };
}

/** Node keeps the first `Host` and drops the others, so they are counted as they came. */
function hostCount(rawHeaders: string[]): number {
  let count = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!;
    if (name.length === 4 && (name === 'Host' || name.toLowerCase() === 'host')) count += 1;
  }
  return count;
}

function misdirected(check: HostCheck, authority: string): Problem | undefined {
  const verdict = check(authority);
  if (verdict === 'served') return undefined;
  if (verdict === 'invalid') return invalid('header/Host', 'is not a host with an optional port');
  const host = authority.replace(/:\d*$/, ''); // a proxy may have put another one there than the client asked for
  return new Problem(
    'misdirected_request',
    `This server does not answer for the host ${host}. If it should, add it to the setting HOSTS.`,
  );
}
