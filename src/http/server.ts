/**
 * The HTTP server. Operations of the contract run on Node's own requests and responses; Express serves the pages and
 * whatever else is not in the contract.
 */
import { createServer } from 'node:http';
import cors from 'cors';
import express, { type ErrorRequestHandler } from 'express';
import { Problem } from '../chat/problems.ts';
import type { Config } from '../config.ts';
import { createHostCheck } from '../hosts.ts';
import type { Logger } from '../logger.ts';
import type { Metrics } from '../metrics.ts';
import { Admission, type AdmissionConfig } from './admission/admission.ts';
import { createAuthenticators } from './authentication.ts';
import { createErrorReporter, createFailureHandler, type RejectStream } from './failures.ts';
import { createHeadValidation } from './head-validation.ts';
import { loadContract } from './openapi.ts';
import { createOperations } from './operations/index.ts';
import type { Services } from './operations/types.ts';
import { createPages } from './pages.ts';
import { respondRaw } from './raw-responses.ts';
import {
  createRequestContext,
  type HttpServer,
  ParleyRequest,
  ParleyResponse,
  setHeaders,
} from './request-context.ts';
import { shownPath } from './request-target.ts';
import { knownMethods, Router } from './router.ts';
import { securityHeaders } from './security-headers.ts';
import { serveStreams } from './stream-response.ts';

export type HttpOptions = {
  services: Services;
  config: AdmissionConfig &
    Pick<Config, 'CORS_ORIGINS' | 'HOST' | 'HOSTS' | 'HSTS_SECONDS' | 'KEEP_ALIVE_SECONDS' | 'LOG_NETWORKS'>;
  log: Logger;
  metrics: Metrics | undefined;
  /** The node is shutting down. */
  isClosing: () => boolean;
  rejectStream: RejectStream;
};
type Fail = ReturnType<typeof createFailureHandler>;

/** A slow sender holds a socket: its head, and the whole request, must have arrived by then. */
const HEAD_WITHIN_MS = 10_000;
const RECEIVE_WITHIN_MS = 15_000;
const CHECK_LATE_EVERY_MS = 1_000;

export function createHttpServer(options: HttpOptions): HttpServer {
  const { services, config, log, metrics, isClosing, rejectStream } = options;
  const contract = loadContract();
  const streamPath = contract.routes.find((each) => each.operationId === 'openStream')!.path;
  const admission = new Admission({ config, log, metrics, streamCount: () => services.hub.size });
  const report = createErrorReporter(log);
  const fail = createFailureHandler({ report, metrics, admission, rejectStream });
  const context = { securityHeaders: securityHeaders(config.HSTS_SECONDS), isClosing };
  const operations = createOperations(services);
  const authenticators = authenticatorsOf(services, isClosing);
  const serve = createListener({
    ...{ admission, fail, streamPath },
    begin: createRequestContext({
      server: context,
      log,
      logsNetworks: config.LOG_NETWORKS === 'true',
      metrics,
      onEnd: (res) => admission.end(res),
    }),
    checkHead: createHeadValidation(createHostCheck(config)),
    allowOrigins: crossOrigin(config.CORS_ORIGINS),
    router: new Router({ routes: contract.routes, operations, authenticators, fail, report }),
    pages: createPages(contract, config.HSTS_SECONDS),
  });
  const server = createServer(
    {
      requireHostHeader: false, // the head validation responds with a problem instead
      IncomingMessage: ParleyRequest,
      ServerResponse: ParleyResponse,
      headersTimeout: HEAD_WITHIN_MS,
      requestTimeout: RECEIVE_WITHIN_MS,
      connectionsCheckingInterval: CHECK_LATE_EVERY_MS,
      keepAlive: true,
      keepAliveTimeout: config.KEEP_ALIVE_SECONDS * 1_000,
    },
    serve,
  );
  serveStreams(server, streamPath, serve);
  admission.guard(server);
  server.maxHeadersCount = 0; // else Node drops the headers after the 2,000th, a second Host among them
  const methods = knownMethods(contract.routes);
  respondRaw(server, context.securityHeaders, methods, (socket) => admission.isWorthAnAnswer(socket));
  // Node would respond 417 without a body; an expectation that is not understood may be ignored (RFC 9110).
  server.on('checkExpectation', (req, res) => void server.emit('request', req, res));
  return server;
}

/** Returns the function that serves one request: admission, then the contract, then the pages. */
function createListener(parts: {
  admission: Admission;
  fail: Fail;
  streamPath: string;
  begin: ReturnType<typeof createRequestContext>;
  checkHead: ReturnType<typeof createHeadValidation>;
  allowOrigins: ReturnType<typeof crossOrigin>;
  router: Router;
  pages: ReturnType<typeof createPages>;
}) {
  const { admission, fail, streamPath, begin, checkHead, allowOrigins, router, pages } = parts;
  const servePage = pageServer(pages.router, fail);

  function respond(req: ParleyRequest, res: ParleyResponse, refusal: Problem | undefined): void {
    const { path } = req.target;
    // The router decides first whether the client of a rejected stream may come back.
    if (refusal && path !== streamPath) fail(refusal, res);
    else if (router.serve(req, res)) return;
    else if (pages.has(path))
      admission.page(
        res,
        () => servePage(req, res),
        (error) => fail(error, res),
      );
    else fail(nothingAt(path), res);
  }

  return (req: ParleyRequest, res: ParleyResponse): void => {
    if (admission.isOver(req)) return;
    begin(req, res);
    const refusal = admission.begin(req, res);
    const problem = checkHead(req);
    if (problem) {
      // After a head that cannot be trusted, the rest of the connection cannot be either.
      if ((refusal ?? problem).code !== 'misdirected_request') res.shouldKeepAlive = false;
      fail(refusal ?? problem, res);
      return;
    }
    if (req.method === 'OPTIONS') {
      setHeaders(res); // cors answers a preflight
      res.setHeader('Cache-Control', 'no-store');
    }
    // A page of another origin may read a refusal as well, but nothing reads that of a preflight.
    if (allowOrigins && !(refusal && req.method === 'OPTIONS'))
      allowOrigins(req, res, () => respond(req, res, refusal));
    else respond(req, res, refusal);
  };
}

function authenticatorsOf({ sessions, tickets }: Services, isClosing: () => boolean) {
  return createAuthenticators({
    verifyToken: sessions.authenticate,
    redeemTicket: (ticket) => {
      // A ticket is valid once: it must not be used up by a node on which its stream could not stay.
      if (isClosing())
        throw new Problem('unavailable', 'This node is shutting down.', { retryAfterMs: 1_000 });
      return tickets.redeem(ticket);
    },
  });
}

const nothingAt = (path: string): Problem =>
  new Problem('not_found', `There is nothing at ${shownPath(path)}. The contract is at /openapi.yaml.`);

/** Express gives a request and its response its own prototypes, for as long as it serves them. */
function pageServer(router: express.Router, fail: Fail) {
  const own = (res: express.Response) => res as unknown as ParleyResponse; // the response that it was given
  const onError: ErrorRequestHandler = (error: unknown, _req, res, _next) => fail(error, own(res));
  const app = express();
  app.disable('x-powered-by');
  app.set('etag', false);
  app.set('query parser', 'simple');
  app.set('case sensitive routing', true);
  app.use(router);
  app.use((req, res) => fail(nothingAt(req.originalUrl), own(res)));
  app.use(onError);
  return (req: ParleyRequest, res: ParleyResponse): void => {
    if (res.server.isClosing()) res.shouldKeepAlive = false;
    setHeaders(res);
    app(req, res);
  };
}

function crossOrigin(allowed: string[]) {
  if (allowed.length === 0) return undefined;
  return cors({
    origin: allowed.includes('*') ? '*' : allowed,
    exposedHeaders: ['Idempotent-Replayed', 'Location', 'Retry-After', 'X-Request-Id'],
    maxAge: 600,
  });
}
