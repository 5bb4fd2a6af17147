/**
 * Mounts the contract: for each operation it finds out who calls, checks the inputs, calls the operation and writes
 * what it answers. Decides nothing itself. One look-up finds the operation (Express' router would try each in turn).
 */
import type { Request, RequestHandler, Response } from 'express';
import type { Caller } from '../chat/model.ts';
import { Problem } from '../chat/problems.ts';
import { networkOf } from './address.ts';
import { bearerToken } from './auth.ts';
import { readJson } from './body.ts';
import type { Route } from './contract.ts';
import { withinDeadline } from './deadline.ts';
import type { OperationId, Operations } from './operations.ts';
import { allowOnly } from './problem-json.ts';

export type RouterOptions = {
  routes: Route[];
  operations: Operations;
  authenticate: (token: string) => Caller;
  redeem: (ticket: string) => Promise<Caller>;
  /** Called with the operation's id when it is known what was asked for. */
  begun: (operationId: OperationId, res: Response) => void;
};

/** Any operation, as the router sees it: it has checked the inputs against the contract that their types come from. */
type AnyOperation = (call: object) => Promise<{
  status: number;
  headers?: Record<string, string>;
  body?: unknown;
  stream?: (res: Response) => Promise<void>;
}>;

/** What is at a path: its operations by method, and the handler for all other methods. */
type Place = { byMethod: Map<string, Route>; others: RequestHandler };

export function createRouter({
  routes,
  operations,
  authenticate,
  redeem,
  begun,
}: RouterOptions): RequestHandler {
  const find = createFinder(routes);
  return (req, res, next) => {
    const found = find(req.path);
    if (!found) return next();
    const route = found.place.byMethod.get(req.method);
    if (!route) return found.place.others(req, res, next);
    return handle(route, found.name, req, res);
  };

  function identify(route: Route, req: Request): Caller | Promise<Caller> {
    const { authorization } = req.headers;
    const ticket = route.takesTicket && authorization === undefined ? req.query['ticket'] : undefined;
    return ticket ? withinDeadline(redeem(String(ticket))) : authenticate(bearerToken(authorization));
  }

  async function handle(route: Route, name: string | undefined, req: Request, res: Response): Promise<void> {
    begun(route.operationId, res);
    const caller = route.isPublic ? undefined : await identify(route, req);
    const inputs = route.hasParameters ? checkedParameters(route, name, req) : NONE;
    const body = route.checkBody && (await checkedBody(route.checkBody, req));
    const operation = operations[route.operationId] as AnyOperation;
    // Only who has not said who they are is counted by address.
    const address = route.isPublic ? networkOf(req.ip ?? '') : '';
    const call = { caller, address, ...inputs, body };
    const answer = await withinDeadline(operation(call));
    if (answer.stream) {
      res.setHeaders(new Map(Object.entries(res.locals['headers'])));
      return withinDeadline(answer.stream(res));
    }
    // All headers in one object and the body as a string: node makes one write of them.
    const headers: Record<string, string | number> = { ...res.locals['headers'], ...answer.headers };
    const json = answer.body === undefined ? '' : JSON.stringify(answer.body);
    if (json) {
      headers['Content-Type'] = 'application/json';
      headers['Content-Length'] = Buffer.byteLength(json);
    }
    res.writeHead(answer.status, headers).end(json);
  }
}

/** Finds what is at a path. At most one segment of a path of the contract is a parameter, and it is the last. */
function createFinder(routes: Route[]) {
  const places = new Map<string, Place>();
  for (const path of new Set(routes.map((route) => route.path))) {
    const byMethod = new Map<string, Route>();
    for (const route of routes) {
      if (route.path !== path) continue;
      byMethod.set(route.method.toUpperCase(), route);
      if (route.method === 'get' && route.operationId !== 'openStream') byMethod.set('HEAD', route);
    }
    places.set(path.replace(/\{\w+\}$/, ''), { byMethod, others: allowOnly([...byMethod.keys()]) });
  }
  return (path: string): { place: Place; name: string | undefined } | undefined => {
    const whole = places.get(path);
    if (whole) return path.endsWith('/') ? undefined : { place: whole, name: undefined };
    const end = path.lastIndexOf('/') + 1;
    const place = places.get(path.slice(0, end));
    return place && { place, name: decodeURIComponent(path.slice(end)) };
  };
}

type Inputs = { path: object; query: object; header: object };
const NONE: Inputs = { path: {}, query: {}, header: {} };

function checkedParameters(route: Route, name: string | undefined, req: Request): Inputs {
  const flat: Record<string, unknown> = {};
  const parameter = /\{(\w+)\}$/.exec(route.path)?.[1];
  if (parameter) flat[`path/${parameter}`] = name;
  for (const [key, value] of Object.entries(req.query)) flat[`query/${key}`] = value;
  for (const header of route.headers) {
    const value = req.headers[header.toLowerCase()];
    if (value !== undefined) flat[`header/${header}`] = value;
  }
  throwIfAny(route.checkParameters(flat));
  const inputs: Inputs = { path: {}, query: {}, header: {} };
  for (const [place, value] of Object.entries(flat)) {
    const slash = place.indexOf('/');
    Object.assign(inputs[place.slice(0, slash) as keyof Inputs], { [place.slice(slash + 1)]: value });
  }
  return inputs;
}

async function checkedBody(check: NonNullable<Route['checkBody']>, req: Request): Promise<unknown> {
  const body = await readJson(req);
  throwIfAny(body === undefined ? [{ pointer: '', message: 'the body is missing: send JSON' }] : check(body));
  return body;
}

function throwIfAny(errors: { pointer: string; message: string }[]): void {
  const [first] = errors;
  if (!first) return;
  const where = first.pointer ? `${first.pointer} ` : '';
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : '';
  throw new Problem('validation_failed', `${where}${first.message}${more}`, { errors });
}
