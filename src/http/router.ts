/**
 * Mounts the contract: for each operation it finds out who calls, checks the inputs, calls the operation and writes
 * what it answers. Decides nothing itself. One look-up finds the operation (Express' router would try each in turn).
 */
import { parse } from 'node:querystring';
import type { Caller } from '../chat/model.ts';
import { Problem } from '../chat/problems.ts';
import type { StreamAnswer } from '../streams/stream-request.ts';
import { PRICES } from './admission/prices.ts';
import type { RequestAdmission } from './admission/request-admission.ts';
import { bearerToken } from './bearer-token.ts';
import { type Deadline, meetDeadline, setDeadline } from './deadline.ts';
import { readJson } from './json-body.ts';
import type { Route } from './openapi.ts';
import type { Operations } from './operations.ts';
import { allowOnly } from './problem-json.ts';
import { headOf, type ParleyRequest, type ParleyResponse } from './request-context.ts';
import { streamAnswer } from './stream-response.ts';

export type RouterOptions = {
  routes: Route[];
  operations: Operations;
  authenticate: (token: string) => Caller;
  redeem: (ticket: string) => Promise<Caller>;
  /** Answers with a problem, whatever was thrown. */
  fail: (error: unknown, res: ParleyResponse) => void;
};

/** Any operation, as the router sees it: it has checked the inputs against the contract that their types come from. */
type AnyOperation = (call: object) => Promise<AnyAnswer>;
type AnyAnswer = {
  status: number;
  headers?: Record<string, string>;
  body?: unknown;
  json?: string;
  stream?: (answer: StreamAnswer) => Promise<void>;
};

/** What is at a path: its operations by method, and what answers all other methods. */
type Place = { byMethod: Map<string, Route>; others: (req: ParleyRequest, res: ParleyResponse) => never };

/** Answers false for what is not of the contract. */
export function createRouter({ routes, operations, authenticate, redeem, fail }: RouterOptions) {
  const find = createFinder(routes);
  return (req: ParleyRequest, res: ParleyResponse): boolean => {
    try {
      const found = find(req.target.path);
      if (!found) return false;
      const route = found.place.byMethod.get(req.method ?? '') ?? found.place.others(req, res);
      void handle(route, found.name, req, res);
    } catch (error) {
      fail(error, res);
    }
    return true;
  };

  function identify(route: Route, req: ParleyRequest): Caller | undefined {
    return route.isPublic ? undefined : authenticate(bearerToken(req.headers.authorization));
  }

  async function handle(
    route: Route,
    name: string | undefined,
    req: ParleyRequest,
    res: ParleyResponse,
  ): Promise<void> {
    res.operation = route.operationId;
    const { admission } = res;
    const late = () => {
      const { isWaiting } = admission; // then nothing was done
      const problem = isWaiting ? admission.problem('in_flight') : tooLate();
      admission.stop(problem);
      if (!isWaiting) fail(problem, res);
    };
    let deadline: Deadline | undefined;
    let isFit = false;
    try {
      const ticket = route.takesTicket && !req.headers.authorization && parse(req.target.query)['ticket'];
      if (ticket) {
        deadline = setDeadline(late);
        res.comesBack = true; // what fails in passing judges no ticket
        if (admission.refusal) throw admission.refusal;
      }
      admission.hasTicket = Boolean(ticket);
      const caller = ticket ? await redeem(String(ticket)) : identify(route, req);
      if (route.takesTicket) res.comesBack = true; // whoever it is may
      if (admission.refusal) throw admission.refusal;
      if (caller) admission.identify(caller.username);
      const inputs = route.hasParameters ? checkedParameters(route, name, req) : NONE;
      const body = route.checkBody && checkedBody(route.checkBody, await readJson(req, admission));
      isFit = true;
      deadline ??= setDeadline(late); // not before: a slow sender keeps nobody waiting
      const price = PRICES[route.operationId];
      const turn = admission.enter(price);
      if (turn) await turn;
      const operation = operations[route.operationId] as AnyOperation;
      const answer = await operation(new Call(caller, inputs, body, admission));
      if (answer.stream) await answer.stream(streamAnswer(res));
      if (meetDeadline(deadline) && !answer.stream) write(res, answer, price.answerKiB);
    } catch (error) {
      if (deadline) meetDeadline(deadline);
      if (!isFit) admission.failed();
      fail(admission.refusal ?? error, res);
    } finally {
      admission.done();
    }
  }
}

const tooLate = (): Problem =>
  new Problem(
    'unavailable',
    'The answer took too long. What was sent may still arrive: repeat it with its Idempotency-Key.',
    { retryAfterMs: 1_000 },
  );

/** What an operation is given. The signal is made where it is asked for. */
class Call {
  readonly caller: Caller | undefined;
  readonly networks: RequestAdmission['networks'];
  readonly path: object;
  readonly query: object;
  readonly header: object;
  readonly body: unknown;
  readonly #admission: RequestAdmission;

  constructor(
    caller: Caller | undefined,
    { path, query, header }: Inputs,
    body: unknown,
    admission: RequestAdmission,
  ) {
    this.caller = caller;
    this.networks = admission.networks;
    this.path = path;
    this.query = query;
    this.header = header;
    this.body = body;
    this.#admission = admission;
  }

  get signal(): AbortSignal {
    return this.#admission.signal;
  }
}

/** All headers in one list and the body as a string: node makes one write of them. */
function write(
  res: ParleyResponse,
  { status, headers = {}, body, json }: AnyAnswer,
  answerKiB: number,
): void {
  const text = json ?? (body === undefined ? '' : JSON.stringify(body));
  const head = [...headOf(res), 'Cache-Control', 'no-store'];
  for (const name in headers) head.push(name, headers[name]!);
  if (text) {
    const length = Buffer.byteLength(text);
    if (length > answerKiB * 1_024)
      throw new Error(`the answer has ${length} bytes, and may have ${answerKiB} KiB`);
    res.admission.answered(length);
    head.push('Content-Type', 'application/json', 'Content-Length', String(length));
  }
  res.writeHead(status, head).end(text);
}

/** Of any path. */
export const knownMethods = (routes: Route[]): string[] => [
  ...new Set(['GET', 'HEAD', ...routes.map(({ method }) => method.toUpperCase())]),
];

/** No name is so long: 256 characters, of up to 12 bytes each as they are encoded. */
const LONGEST_PATH = 4_096;

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
  places.set('*', { byMethod: new Map(), others: allowOnly(knownMethods(routes)) });
  return (path: string): { place: Place; name: string | undefined } | undefined => {
    if (path.length > LONGEST_PATH) return undefined; // not decoded only to find nothing
    const whole = places.get(path);
    if (whole) return path.endsWith('/') ? undefined : { place: whole, name: undefined };
    const end = path.lastIndexOf('/') + 1;
    const place = places.get(path.slice(0, end));
    return place && { place, name: decodeURIComponent(path.slice(end)) };
  };
}

type Inputs = { path: object; query: object; header: object };
const NONE: Inputs = { path: {}, query: {}, header: {} };

function checkedParameters(route: Route, name: string | undefined, req: ParleyRequest): Inputs {
  const flat: Record<string, unknown> = {};
  const inputs = { path: {}, query: {}, header: {} };
  if (route.pathParameter) flat[`path/${route.pathParameter}`] = name;
  if (req.target.query)
    for (const [key, value] of Object.entries(parse(req.target.query))) flat[`query/${key}`] = value;
  for (const header of route.headers) {
    const value = req.headers[header.toLowerCase()];
    if (value !== undefined) flat[`header/${header}`] = value;
  }
  for (const [former, name] of route.renamed) if (former in flat) flat[name] ??= flat[former];
  throwIfAny(route.checkParameters(flat));
  for (const place in flat) {
    const slash = place.indexOf('/');
    const group: Record<string, unknown> = inputs[place.slice(0, slash) as keyof Inputs];
    group[place.slice(slash + 1)] = flat[place];
  }
  return inputs;
}

function checkedBody(check: NonNullable<Route['checkBody']>, body: unknown): unknown {
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
