/**
 * Finds the operations at a path, with find-my-way (a radix tree). Paths are not normalized: they are case-sensitive,
 * every slash counts, and only parameters are percent-decoded.
 */
import findMyWay from 'find-my-way';
import type { Route } from './openapi.ts';

/** The operations at a path by method, HEAD included. */
export type PathEntry = { path: string; byMethod: Map<string, Route> };
export type PathParameters = Record<string, string | undefined>;
export type PathMatch = { entry: PathEntry; parameters: PathParameters };

/** `exact`: find-my-way also matches percent-encoded literals and empty parameters; this expression rejects both. */
type Stored = { entry: PathEntry; exact: RegExp };

/** Usernames have up to 256 characters, of up to 12 bytes each when encoded. Longer paths are not worth decoding. */
const MAX_PATH_LENGTH = 4_096;
/** A literal or one parameter; find-my-way gives other characters a special meaning. */
const SEGMENT = /^(?:[\w.~-]+|\{\w+\})$/;

/**
 * Throws for a path that it cannot serve, so that a mistake in the contract is found at start-up.
 * The returned function throws URIError for a path that is not percent-encoded UTF-8.
 */
export function createPathRouter(routes: Route[]): (path: string) => PathMatch | undefined {
  const onBadUrl = () => {}; // without it, `find` returns the same for such a path as for an unknown one
  const router = findMyWay({ maxParamLength: MAX_PATH_LENGTH, onBadUrl });
  for (const path of new Set(routes.map((route) => route.path))) {
    const entry: PathEntry = { path, byMethod: byMethodOf(routes.filter((route) => route.path === path)) };
    router.on('GET', patternOf(path), () => {}, { entry, exact: exactly(path) } satisfies Stored);
  }
  return (path) => {
    if (path.length > MAX_PATH_LENGTH) return undefined;
    const found = router.find('GET', path);
    if (!found) return undefined;
    const stored: Stored | null = found.store;
    if (!stored) throw new URIError(path);
    return stored.exact.test(path) ? { entry: stored.entry, parameters: found.params } : undefined;
  };
}

function patternOf(path: string): string {
  const [root, ...segments] = path.split('/');
  if (root !== '' || segments.length === 0 || !segments.every((each) => SEGMENT.test(each)))
    throw new Error(`openapi.yaml: cannot serve ${path}: each segment must be a literal or one {parameter}`);
  return path.replace(/\{(\w+)\}/g, ':$1');
}

/** A path consists of literals and parameters only: see SEGMENT. */
const exactly = (path: string): RegExp =>
  new RegExp(`^${path.replace(/[.~-]/g, '\\$&').replace(/\{\w+\}/g, '[^/]+')}$`);

function byMethodOf(routes: Route[]): Map<string, Route> {
  const byMethod = new Map<string, Route>();
  for (const route of routes) {
    byMethod.set(route.method.toUpperCase(), route);
    if (route.method === 'get' && route.operationId !== 'openStream') byMethod.set('HEAD', route);
  }
  return byMethod;
}
