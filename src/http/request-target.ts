/**
 * The target of a request (RFC 9112, section 3.2), read once and by this rule alone: origin form, or absolute form with
 * http or https; `*` for OPTIONS. Router, pages, log and metrics use what is found here, and nobody reads a URL again.
 * Nothing is decoded and no dot segment is resolved: a path is compared as it was sent. Pure; never throws.
 */
export type RequestTarget = {
  path: string;
  /** Without its question mark. */
  query: string;
  /** Of the absolute form: wins over `Host`. */
  authority: string | undefined;
};

/** RFC 3986; and in the query what browsers send there as it is (WHATWG URL): ``[ ] { } | \ ^ ` ``. It means nothing here. */
const ORIGIN_FORM = /^\/[\w.~!$&'()*+,;=:@%/-]*(?:\?[\w.~!$&'()*+,;=:@%/?[\]{}|\\^`-]*)?$/;
const SCHEME_AND_AUTHORITY = /^https?:\/\/([^/?]+)/i;

/** Undefined for what is none of these forms, or has characters that belong into no target. */
export function parseTarget(method: string, target: string): RequestTarget | undefined {
  if (ORIGIN_FORM.test(target)) return split(target, undefined);
  if (target === '*' && method === 'OPTIONS') return { path: '*', query: '', authority: undefined };
  const found = SCHEME_AND_AUTHORITY.exec(target);
  if (!found) return undefined;
  const rest = target.slice(found[0].length);
  const origin = rest.startsWith('/') ? rest : `/${rest}`;
  return ORIGIN_FORM.test(origin) ? split(origin, found[1]) : undefined;
}

function split(origin: string, authority: string | undefined): RequestTarget {
  const mark = origin.indexOf('?');
  return mark < 0
    ? { path: origin, query: '', authority }
    : { path: origin.slice(0, mark), query: origin.slice(mark + 1), authority };
}

const SHOWN_CHARACTERS = 256;

/** A path for the log or for a sentence: the beginning of it, and never a query. Takes a whole target as well. */
export function shownPath(path: string): string {
  const end = path.search(/[?#]/);
  const bare = end < 0 ? path : path.slice(0, end);
  return bare.length > SHOWN_CHARACTERS ? `${bare.slice(0, SHOWN_CHARACTERS)}…` : bare;
}
