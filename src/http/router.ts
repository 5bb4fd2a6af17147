/**
 * Mounts the contract: for each operation it finds out who calls, checks the inputs, calls the operation and writes
 * what it answers. Decides nothing itself.
 */
import { isUtf8 } from 'node:buffer';
import express, { type Request, type RequestHandler, type Response, Router } from 'express';
import type { Caller } from '../chat/model.ts';
import { Problem } from '../chat/problems.ts';
import { networkOf } from './address.ts';
import { bearerToken } from './auth.ts';
import type { Route } from './contract.ts';
import type { OperationId, Operations } from './operations.ts';
import { allowOnly } from './problem-json.ts';

/** Every request is answered by then, also when Redis hangs. */
const DEADLINE_MS = 4_500;
const BODY_LIMIT_BYTES = 64 * 1_024;

export type RouterOptions = {
  routes: Route[];
  operations: Operations;
  authenticate: (token: string) => Caller;
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

export function createRouter({ routes, operations, authenticate, begun }: RouterOptions): Router {
  const router = Router({ caseSensitive: true, strict: true });
  const parseJson = express.json({
    limit: BODY_LIMIT_BYTES,
    strict: false,
    verify: (_req, _res, bytes, charset) => {
      if (charset !== 'utf-8') throw new Problem('unsupported_media_type', 'Send the body in UTF-8.');
      if (!isUtf8(bytes)) throw new Problem('malformed_json', 'The body is not valid UTF-8.');
    },
  });

  for (const route of routes) {
    const operation = operations[route.operationId] as AnyOperation;
    const handle: RequestHandler = async (req, res, next) => {
      if (req.method === 'HEAD' && isStream(route)) return next();
      begun(route.operationId, res);
      const caller = route.isPublic ? undefined : authenticate(bearerToken(req.headers.authorization));
      const inputs = checkedInputs(route, req);
      const body = route.checkBody ? await checkedBody(route.checkBody, parseJson, req, res) : undefined;
      const answer = await withinDeadline(
        operation({ caller, address: networkOf(req.ip ?? ''), ...inputs, body }),
      );
      for (const [name, value] of Object.entries(answer.headers ?? {})) res.setHeader(name, value);
      if (answer.stream) await withinDeadline(answer.stream(res));
      else if (answer.body === undefined) res.writeHead(answer.status).end();
      else {
        const json = Buffer.from(JSON.stringify(answer.body));
        res
          .writeHead(answer.status, { 'Content-Type': 'application/json', 'Content-Length': json.length })
          .end(json);
      }
    };
    router[route.method as 'get'](route.path, handle);
  }

  for (const path of new Set(routes.map((route) => route.path))) {
    const here = routes.filter((route) => route.path === path);
    const methods = here.map(({ method }) => method.toUpperCase());
    if (methods.includes('GET') && !here.some(isStream)) methods.push('HEAD');
    router.all(path, allowOnly(methods));
  }
  return router;
}

/** A stream has no HEAD. */
const isStream = ({ operationId }: Route): boolean => operationId === 'openStream';

type Inputs = { path: object; query: object; header: object };

function checkedInputs(route: Route, req: Request): Inputs {
  const flat: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(req.params)) flat[`path/${name}`] = value;
  for (const [name, value] of Object.entries(req.query)) flat[`query/${name}`] = value;
  for (const name of route.headers)
    if (req.headers[name.toLowerCase()] !== undefined)
      flat[`header/${name}`] = req.headers[name.toLowerCase()];
  throwIfAny(route.checkParameters(flat));
  const inputs: Inputs = { path: {}, query: {}, header: {} };
  for (const [place, value] of Object.entries(flat)) {
    const slash = place.indexOf('/');
    Object.assign(inputs[place.slice(0, slash) as keyof Inputs], { [place.slice(slash + 1)]: value });
  }
  return inputs;
}

async function checkedBody(
  check: NonNullable<Route['checkBody']>,
  parseJson: RequestHandler,
  req: Request,
  res: Response,
): Promise<unknown> {
  const length = req.headers['content-length'];
  const hasBody = req.headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
  if (!hasBody) throwIfAny([{ pointer: '', message: 'the body is missing: send JSON' }]);
  // express.json would first wait for all of it.
  if (Number(length) > BODY_LIMIT_BYTES)
    throw new Problem('body_too_large', 'The body must not be larger than 64 KiB.');
  await new Promise<void>((resolve, reject) => {
    parseJson(req, res, (error?: unknown) => (error ? reject(error) : resolve()));
  });
  if (req.body === undefined)
    throw new Problem('unsupported_media_type', 'Send the body as application/json.');
  throwIfAny(check(req.body));
  return req.body;
}

function throwIfAny(errors: { pointer: string; message: string }[]): void {
  const [first] = errors;
  if (!first) return;
  const where = first.pointer ? `${first.pointer} ` : '';
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : '';
  throw new Problem('validation_failed', `${where}${first.message}${more}`, { errors });
}

/** The work goes on after the deadline; only the caller stops waiting, and must not take it for a failure. */
async function withinDeadline<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const detail =
        'The answer took too long. What was sent may still arrive: repeat it with its Idempotency-Key.';
      reject(new Problem('unavailable', detail, { retryAfterMs: 1_000 }));
    }, DEADLINE_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
