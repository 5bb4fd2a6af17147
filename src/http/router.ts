/**
 * Runs the operations of the contract: authenticates the caller, checks the inputs, calls the operation and writes its
 * response. It makes no decisions of its own.
 */
import type { Caller } from '../chat/model.ts';
import { Problem } from '../chat/problems.ts';
import type { StreamAnswer } from '../streams/stream-types.ts';
import type { RequestAdmission } from './admission/request-admission.ts';
import { AnswerTimeout } from './answer-timeout.ts';
import { type Authenticators, findCredential } from './authentication.ts';
import type { Route } from './openapi.ts';
import { PRICES } from './operations/prices.ts';
import type { Operations } from './operations/types.ts';
import { createPathRouter, type PathParameters } from './path-router.ts';
import { allowOnly, problemBody } from './problem-json.ts';
import { readBody } from './request-body.ts';
import { headersOf, type ParleyRequest, type ParleyResponse } from './request-context.ts';
import { checkBody, checkParameters, type Parameters } from './request-inputs.ts';
import { streamAnswer } from './stream-response.ts';

export type RouterOptions = {
  routes: Route[];
  operations: Operations;
  authenticators: Authenticators;
  /** Responds with a problem, whatever was thrown. */
  fail: (error: unknown, res: ParleyResponse) => void;
  /** Logs an error if it is the server's fault, and returns it as a problem. */
  report: (error: unknown, requestId: string) => Problem;
};

/** Any operation, as the router calls it: its inputs were checked against the contract that their types come from. */
type AnyOperation = (call: object) => Promise<AnyAnswer>;
type AnyAnswer = {
  status: number;
  headers?: Record<string, string>;
  body?: unknown;
  json?: string;
  stream?: (answer: StreamAnswer) => Promise<void>;
};

export class Router {
  readonly #operations: Operations;
  readonly #authenticators: Authenticators;
  readonly #fail: RouterOptions['fail'];
  readonly #report: RouterOptions['report'];
  readonly #find: ReturnType<typeof createPathRouter>;
  readonly #methods: string[];

  constructor({ routes, operations, authenticators, fail, report }: RouterOptions) {
    this.#operations = operations;
    this.#authenticators = authenticators;
    this.#fail = fail;
    this.#report = report;
    this.#find = createPathRouter(routes);
    this.#methods = knownMethods(routes);
  }

  /** Returns false for a path that is not in the contract. */
  serve(req: ParleyRequest, res: ParleyResponse): boolean {
    const { path } = req.target;
    try {
      if (path === '*') allowOnly(this.#methods)(req, res);
      const found = this.#find(path);
      if (!found) return false;
      const { byMethod } = found.entry;
      const route = byMethod.get(req.method ?? '') ?? allowOnly([...byMethod.keys()])(req, res);
      void this.#handle(route, found.parameters, req, res);
    } catch (error) {
      this.#fail(error, res);
    }
    return true;
  }

  async #handle(
    route: Route,
    pathParameters: PathParameters,
    req: ParleyRequest,
    res: ParleyResponse,
  ): Promise<void> {
    res.operation = route.operationId;
    const { admission } = res;
    const timeout = new AnswerTimeout(() => this.#giveUp(res));
    let isValid = false;
    try {
      const verified = this.#authenticate(route, req, res, timeout);
      const caller = verified instanceof Promise ? await verified : verified;
      if (caller) res.account = caller.username;
      if (route.operationId === 'openStream') res.comesBack = true;
      if (admission.rejection) throw admission.rejection;
      if (caller) admission.identify(caller.username);
      const parameters = checkParameters(route, pathParameters, req);
      const body = route.checkBody && checkBody(route.checkBody, await readBody(req, route, admission));
      isValid = true;
      timeout.start(); // not before the body has arrived: a slow sender holds up nobody else
      const price = PRICES[route.operationId];
      const turn = admission.enter(price, price.extraPoints?.(body));
      if (turn) await turn;
      const operation = this.#operations[route.operationId] as AnyOperation;
      const answer = await operation(new Call(caller, parameters, body, res, this.#report));
      if (answer.stream) await answer.stream(streamAnswer(res));
      if (timeout.stop() && !answer.stream) write(res, answer, price.answerKiB);
    } catch (error) {
      timeout.stop();
      if (!isValid && !admission.isRejected) admission.chargeInvalidBody();
      this.#fail(admission.rejection ?? error, res);
    } finally {
      admission.done();
    }
  }

  /** Undefined for a public operation. A promise only where the credential must be looked up. */
  #authenticate(
    route: Route,
    req: ParleyRequest,
    res: ParleyResponse,
    timeout: AnswerTimeout,
  ): Caller | Promise<Caller> | undefined {
    const credential = findCredential(this.#authenticators, route.security, req);
    if (!credential) return undefined;
    const { text, authenticator } = credential;
    if (authenticator.isSingleUse) {
      const { admission } = res;
      timeout.start();
      res.comesBack = true; // a failure that passes says nothing about the ticket
      if (admission.rejection) throw admission.rejection;
      admission.hasTicket = true;
    }
    return authenticator.verify(text);
  }

  /** The operation goes on, but its client gets a response now. */
  #giveUp(res: ParleyResponse): void {
    const { admission } = res;
    const { isWaiting } = admission; // then nothing was done
    const problem = isWaiting ? admission.reject('in_flight') : tooLate();
    admission.abort(problem);
    if (!isWaiting) this.#fail(problem, res);
  }
}

const tooLate = (): Problem =>
  new Problem(
    'unavailable',
    'The operation took too long and may still complete. Repeat it; a send with the same Idempotency-Key.',
    { retryAfterMs: 1_000 },
  );

/** What an operation receives. Its signal is created on first use. */
class Call {
  readonly caller: Caller | undefined;
  readonly networks: RequestAdmission['networks'];
  readonly path: object;
  readonly query: object;
  readonly header: object;
  readonly body: unknown;
  readonly #res: ParleyResponse;
  readonly #report: RouterOptions['report'];

  constructor(
    caller: Caller | undefined,
    { path, query, header }: Parameters,
    body: unknown,
    res: ParleyResponse,
    report: RouterOptions['report'],
  ) {
    this.caller = caller;
    this.networks = res.admission.networks;
    this.path = path;
    this.query = query;
    this.header = header;
    this.body = body;
    this.#res = res;
    this.#report = report;
  }

  get signal(): AbortSignal {
    return this.#res.admission.signal;
  }

  problemOf(error: unknown) {
    const { requestId } = this.#res;
    return problemBody(this.#report(error, requestId), requestId);
  }
}

/** All headers in one list and the body as a string: Node sends them in one write. */
function write(
  res: ParleyResponse,
  { status, headers = {}, body, json }: AnyAnswer,
  answerKiB: number,
): void {
  const text = json ?? (body === undefined ? '' : JSON.stringify(body));
  const list = [...headersOf(res), 'Cache-Control', 'no-store'];
  for (const name in headers) list.push(name, headers[name]!);
  if (text) {
    const length = Buffer.byteLength(text);
    if (length > answerKiB * 1_024)
      throw new Error(`the answer has ${length} bytes, more than the ${answerKiB} KiB of its price`);
    res.admission.chargeResponse(length);
    list.push('Content-Type', 'application/json', 'Content-Length', String(length));
  }
  res.writeHead(status, list).end(text);
}

/** The methods that some path of the server supports. */
export const knownMethods = (routes: Route[]): string[] => [
  ...new Set(['GET', 'HEAD', ...routes.map(({ method }) => method.toUpperCase())]),
];
