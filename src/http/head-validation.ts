/**
 * Validates the head of a request before anything else uses it: the target must parse, and there must be exactly one
 * `Host` header (RFC 9112, section 3.2), which names a host that this server answers for.
 */
import { invalid, Problem } from '../chat/problems.ts';
import type { HostCheck } from '../hosts.ts';
import type { ParleyRequest } from './request-context.ts';
import { parseTarget } from './request-target.ts';

/** The returned function sets `req.target`, and returns the problem if the request is not valid. */
export function createHeadValidation(check: HostCheck) {
  return (req: ParleyRequest): Problem | undefined => {
    const target = parseTarget(req.method ?? '', req.url ?? '');
    if (!target) {
      const rule = 'Send a percent-encoded path and query according to RFC 3986, without a fragment.';
      return new Problem('validation_failed', `The request target is not valid. ${rule}`);
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

/** `req.headers` has only the first `Host`, so the raw headers are counted. */
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
  if (verdict === 'invalid') return invalid('header/Host', 'must be a host with an optional port');
  const host = authority.replace(/:\d*$/, ''); // a proxy may have changed the port
  return new Problem(
    'misdirected_request',
    `This server does not answer for the host ${host}. If it should, add it to the setting HOSTS.`,
  );
}
