/**
 * The HTTP server. Express 5 gives every request and response another prototype, which makes V8 forget its inline
 * caches; here node makes them with Express' prototypes from the start, so that the swap changes nothing (a JWT and
 * JSON route: twice as many requests per second).
 */
import { randomUUID } from 'node:crypto';
import { createServer, IncomingMessage, type Server, ServerResponse, STATUS_CODES } from 'node:http';
import { Socket } from 'node:net';
import cors from 'cors';
import express, { type ErrorRequestHandler, type RequestHandler } from 'express';
import helmet from 'helmet';
import { Problem } from '../chat/problems.ts';
import type { Config } from '../config.ts';
import type { Logger } from '../logger.ts';
import type { Metrics } from '../metrics.ts';
import { readContract } from './contract.ts';
import { createOperations, type Rooms } from './operations.ts';
import { createPages } from './pages.ts';
import { problemBody, sendProblem, toProblem } from './problem-json.ts';
import { createRouter } from './router.ts';

export type HttpOptions = {
  rooms: Rooms;
  config: Pick<Config, 'CORS_ORIGINS' | 'TRUST_PROXY'>;
  log: Logger;
  metrics: Metrics | undefined;
};

const REQUEST_ID = /^[\w.:-]{1,128}$/;
/** Told to log and metrics only: who asked did not wait for the answer. (nginx has the same number for it.) */
const GONE_STATUS = 499;
/** A request must have arrived by then; a slow sender holds a socket, nothing else. */
const RECEIVE_MS = 30_000;

/** What helmet sets is the same for every request: asked once. */
const SECURITY_HEADERS: Record<string, string> = {};
helmet({
  contentSecurityPolicy: {
    useDefaults: false,
    directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
  },
  // These say something about pages only; /docs has them all.
  crossOriginOpenerPolicy: false,
  originAgentCluster: false,
  xDnsPrefetchControl: false,
  xDownloadOptions: false,
  xPermittedCrossDomainPolicies: false,
  xXssProtection: false,
})(
  new IncomingMessage(new Socket()),
  {
    setHeader: (name: string, value: string) => {
      SECURITY_HEADERS[name] = value;
    },
    removeHeader: () => {},
  } as never, // all that helmet uses of a response
  () => {},
);

/** For answers that are not written by the router: it passes them to writeHead, which is cheaper. */
function setHeaders(res: ServerResponse & { locals: Record<string, unknown> }): void {
  for (const [name, value] of Object.entries(res.locals['headers'] as Record<string, string>))
    res.setHeader(name, value);
}

export function createHttpServer({ rooms, config, log, metrics }: HttpOptions): Server {
  const contract = readContract();
  const app = express();
  app.disable('x-powered-by');
  app.set('etag', false);
  app.set('query parser', 'simple');
  app.set('case sensitive routing', true);
  app.set('trust proxy', config.TRUST_PROXY);

  const begin: RequestHandler = (req, res, next) => {
    const given = req.headers['x-request-id'];
    res.locals['requestId'] = typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID();
    res.locals['headers'] = { ...SECURITY_HEADERS, 'X-Request-Id': res.locals['requestId'] };
    const startedAt = performance.now();
    res.on('close', () => {
      const operation: string = res.locals['operation'] ?? 'none';
      const status = res.headersSent ? res.statusCode : GONE_STATUS;
      metrics?.request(operation, status);
      const level = status >= 400 && status < 500 ? 'info' : 'debug';
      if (!log.isLevelEnabled(level)) return;
      const ms = Math.round(performance.now() - startedAt);
      const path = req.originalUrl.split('?', 1)[0];
      log[level](
        { requestId: res.locals['requestId'], operation, method: req.method, path, status, ms },
        'request',
      );
    });
    next();
  };

  const fail: ErrorRequestHandler = (error: unknown, _req, res, _next) => {
    const requestId: string = res.locals['requestId'];
    const problem = toProblem(error);
    if (problem.code === 'internal') log.error({ err: error, requestId }, 'a bug of ours');
    else if (problem.code === 'unavailable') log.warn({ requestId, reason: String(error) }, 'unavailable');
    if (res.headersSent) return void res.destroy();
    setHeaders(res);
    sendProblem(res, problem, requestId);
  };

  app.use(begin);
  if (config.CORS_ORIGINS.length > 0) app.use(crossOrigin(config.CORS_ORIGINS));
  app.use(
    createRouter({
      routes: contract.routes,
      operations: createOperations(rooms),
      authenticate: rooms.sessions.authenticate,
      redeem: rooms.tickets.redeem,
      begun: (operationId, res) => {
        res.locals['operation'] = operationId;
      },
    }),
  );
  app.use((_req, res, next) => next(setHeaders(res)));
  app.use(createPages(contract));
  app.use((req) => {
    throw new Problem('not_found', `There is nothing at ${req.path}. The contract is at /openapi.yaml.`);
  });
  app.use(fail);

  class ParleyRequest extends IncomingMessage {}
  class ParleyResponse extends ServerResponse {}
  // app.request and app.response inherit Express' methods and know the app; now the classes inherit from them.
  Object.setPrototypeOf(ParleyRequest.prototype, app.request);
  Object.setPrototypeOf(ParleyResponse.prototype, app.response);
  app.request = ParleyRequest.prototype as unknown as typeof app.request;
  app.response = ParleyResponse.prototype as unknown as typeof app.response;

  const server = createServer(
    {
      IncomingMessage: ParleyRequest,
      ServerResponse: ParleyResponse,
      requestTimeout: RECEIVE_MS,
      keepAlive: true,
    },
    // node was told to make them of these classes
    app as unknown as (req: IncomingMessage, res: ServerResponse) => void,
  );
  server.on('clientError', answerRaw);
  // node would answer 417 without a word; an expectation that is not understood may be passed over (RFC 9110).
  server.on('checkExpectation', (req, res) => void server.emit('request', req, res));
  return server;
}

function crossOrigin(allowed: string[]): RequestHandler {
  return cors({
    origin: allowed.includes('*') ? '*' : allowed,
    exposedHeaders: ['Idempotent-Replayed', 'Location', 'Retry-After', 'X-Request-Id'],
    maxAge: 600,
  });
}

/** What is not even HTTP, or comes too slowly, never reaches Express. */
function answerRaw(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const status =
    error.code === 'HPE_HEADER_OVERFLOW' ? 431 : error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400;
  const requestId = randomUUID();
  const detail = `The request could not be read as HTTP (${STATUS_CODES[status]}).`;
  const body = JSON.stringify({
    ...problemBody(new Problem('validation_failed', detail), requestId),
    status,
  });
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: application/problem+json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nX-Request-Id: ${requestId}\r\nConnection: close\r\n\r\n${body}`,
  );
}
