/**
 * Parses the target of a request (RFC 9112, section 3.2): origin form, absolute form with http or https, or `*` for
 * OPTIONS. Router, pages, log and metrics all use this result, and nothing else parses the URL. Nothing is decoded and no
 * dot segment is resolved. Never throws.
 */
export type RequestTarget = {
  path: string;
  /** Without its question mark. */
  query: string;
  /** Only in absolute form; takes precedence over `Host`. */
  authority: string | undefined;
};

/** RFC 3986, and in the query also the characters that browsers do not encode (WHATWG URL): ``[ ] { } | \ ^ ` ``. */
const ORIGIN_FORM = /^\/[\w.~!$&'()*+,;=:@%/-]*(?:\?[\w.~!$&'()*+,;=:@%/?[\]{}|\\^`-]*)?$/;
const SCHEME_AND_AUTHORITY = /^https?:\/\/([^/?]+)/i;

/** Returns undefined for any other form, and for characters that are not allowed in a target. */
export function parseTarget(method: string, target: string): RequestTarget | undefined {
  if (ORIGIN_FORM.test(target)) return split(target, undefined);
  if (target === '*' && method === 'OPTIONS') return { path: '*', query: '', authority: undefined };
  const match = SCHEME_AND_AUTHORITY.exec(target);
  if (!match) return undefined;
  const rest = target.slice(match[0].length);
  const origin = rest.startsWith('/') ? rest : `/${rest}`;
  return ORIGIN_FORM.test(origin) ? split(origin, match[1]) : undefined;
}

function split(origin: string, authority: string | undefined): RequestTarget {
  const queryMark = origin.indexOf('?');
  return queryMark < 0
    ? { path: origin, query: '', authority }
    : { path: origin.slice(0, queryMark), query: origin.slice(queryMark + 1), authority };
}

const SHOWN_CHARACTERS = 256;

/** A path or target for logs and error texts: truncated, and without its query. */
export function shownPath(path: string): string {
  const end = path.search(/[?#]/);
  const bare = end < 0 ? path : path.slice(0, end);
  return bare.length > SHOWN_CHARACTERS ? `${bare.slice(0, SHOWN_CHARACTERS)}…` : bare;
}
