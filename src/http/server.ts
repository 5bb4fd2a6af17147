/**
 * The HTTP server. Express 5 gives every request and response another prototype, which makes V8 forget its inline
 * caches; here node makes them with Express' prototypes from the start, so that the swap changes nothing (a JWT and
 * JSON route: twice as many requests per second).
 */
import { createServer, IncomingMessage, type Server, ServerResponse } from 'node:http';
import cors from 'cors';
import express, { type ErrorRequestHandler } from 'express';
import { PROBLEMS, Problem } from '../chat/problems.ts';
import type { Config } from '../config.ts';
import { createHostCheck } from '../hosts.ts';
import type { Logger } from '../logger.ts';
import type { Metrics } from '../metrics.ts';
import type { StreamAnswer } from '../streams/stream-request.ts';
import { type AdmissionConfig, createAdmission } from './admission/admission.ts';
import { createHeadValidation } from './head-validation.ts';
import { loadContract } from './openapi.ts';
import { createOperations, type Services } from './operations.ts';
import { createPages } from './pages.ts';
import { sendProblem, toProblem } from './problem-json.ts';
import { respondRaw } from './raw-responses.ts';
import {
  createRequestContext,
  type ParleyRequest,
  type ParleyResponse,
  setHeaders,
} from './request-context.ts';
import { shownPath } from './request-target.ts';
import { createRouter, knownMethods } from './router.ts';
import { securityHeaders } from './security-headers.ts';
import { serveStreams, streamAnswer, takeStreams } from './stream-response.ts';

export type HttpOptions = {
  rooms: Services;
  config: AdmissionConfig &
    Pick<Config, 'CORS_ORIGINS' | 'HOST' | 'HOSTS' | 'HSTS_SECONDS' | 'KEEP_ALIVE_SECONDS'>;
  log: Logger;
  metrics: Metrics | undefined;
  /** The node is stopping. */
  isClosing: () => boolean;
  /** Opens a stream only to say when to come back. */
  turnAway: (answer: StreamAnswer, code: 'unavailable' | 'too_many_requests', waitMs: number) => void;
};

/** By when the head of a request must have arrived, and all of it: a slow sender holds a socket. */
const HEAD_WITHIN_MS = 10_000;
const RECEIVE_WITHIN_MS = 15_000;
/** How often node looks for those that are late. */
const LOOK_FOR_LATE_MS = 1_000;

export function createHttpServer({ rooms, config, log, metrics, isClosing, turnAway }: HttpOptions): Server {
  const contract = loadContract();
  const app = express();
  app.disable('x-powered-by');
  app.set('etag', false);
  app.set('query parser', 'simple');
  app.set('case sensitive routing', true);
  app.set('trust proxy', config.TRUST_PROXY);

  function fail(error: unknown, res: ParleyResponse): void {
    const { requestId } = res;
    if (res.admission.isGone) return; // there is nobody to tell
    const problem = toProblem(error);
    if (problem.code === 'internal') log.error({ err: error, requestId }, 'a bug of ours');
    else if (problem.code === 'unavailable') log.warn({ requestId, reason: String(error) }, 'unavailable');
    if (res.writableEnded) return; // it was answered when its time was up
    if (res.headersSent) return void res.destroy();
    if (res.comesBack && problem.retryAfterSeconds !== undefined) {
      const { status } = PROBLEMS[problem.code];
      res.outcome = status;
      const code = status === 429 ? 'too_many_requests' : 'unavailable';
      const waitMs = problem.retryAfterSeconds * 1_000;
      // It comes on a connection of its own each time, so it is the answer that waits.
      admission.slowly(res, () => turnAway(streamAnswer(res), code, waitMs));
      return;
    }
    setHeaders(res);
    sendProblem(res, problem, requestId);
  }

  /** After a head that cannot be trusted, what else comes on the connection cannot be either. */
  function refuse(problem: Problem, res: ParleyResponse): void {
    if (problem.code !== 'misdirected_request') res.shouldKeepAlive = false;
    fail(problem, res);
  }

  function nothing({ target }: ParleyRequest, res: ParleyResponse): void {
    const where = shownPath(target.path);
    fail(new Problem('not_found', `There is nothing at ${where}. The contract is at /openapi.yaml.`), res);
  }

  // What is not of the contract: pages.
  const failPage: ErrorRequestHandler = (error: unknown, _req, res, _next) =>
    fail(error, res as ParleyResponse);
  app.use((_req, res, next) => {
    setHeaders(res as ParleyResponse);
    next();
  });
  const pages = createPages(contract, config.HSTS_SECONDS);
  app.use(pages.router);
  app.use((req, res) => nothing(req as ParleyRequest, res as ParleyResponse));
  app.use(failPage);

  class OurRequest extends IncomingMessage {}
  class OurResponse extends ServerResponse {
    /** While the node is stopping, an answer is the last one on its connection: whoever sends more goes to another node. */
    override writeHead(...head: unknown[]): this {
      if (isClosing()) this.shouldKeepAlive = false;
      return super.writeHead(...(head as Parameters<ServerResponse['writeHead']>));
    }
  }
  // app.request and app.response inherit Express' methods and know the app; now the classes inherit from them.
  Object.setPrototypeOf(OurRequest.prototype, app.request);
  Object.setPrototypeOf(OurResponse.prototype, app.response);
  const common = securityHeaders(config.HSTS_SECONDS);
  Object.assign(OurResponse.prototype, { securityHeaders: common });
  app.request = OurRequest.prototype as unknown as typeof app.request;
  app.response = OurResponse.prototype as unknown as typeof app.response;
  const streamPath = contract.routes.find((each) => each.operationId === 'openStream')!.path;
  takeStreams(OurRequest.prototype, streamPath);

  const isProxy = (address: string): boolean => app.get('trust proxy fn')(address, 0);
  const admission = createAdmission({ config, isProxy, log, metrics, audience: () => rooms.hub.size });
  const begin = createRequestContext(log, metrics, admission.end);
  const checkHead = createHeadValidation(createHostCheck(config));
  const operations = createOperations(rooms);
  const route = createRouter({
    routes: contract.routes,
    operations,
    authenticate: rooms.sessions.authenticate,
    redeem: (ticket) => {
      // It serves once: not here, where its stream could not stay.
      if (isClosing()) throw new Problem('unavailable', 'This node is going down.', { retryAfterMs: 1_000 });
      return rooms.tickets.redeem(ticket);
    },
    fail,
  });
  const allowOrigins = config.CORS_ORIGINS.length > 0 ? crossOrigin(config.CORS_ORIGINS) : undefined;
  const serve = (req: ParleyRequest, res: ParleyResponse): void => {
    if (admission.isOver(req)) return;
    begin(req, res);
    const refusal = admission.begin(req, res);
    const problem = checkHead(req);
    if (problem) return void refuse(refusal ?? problem, res);
    const answer = () => {
      // Of a stream the router finds out first whether it may come back.
      if (refusal && req.target.path !== streamPath) fail(refusal, res);
      else if (route(req, res)) return;
      else if (!pages.has(req.target.path)) nothing(req, res);
      else
        admission.page(
          res,
          () => app(req, res),
          (error) => fail(error, res),
        );
    };
    if (req.method === 'OPTIONS') setHeaders(res).setHeader('Cache-Control', 'no-store'); // a preflight is answered by cors
    // A page of another origin may read the refusal too, but for that of a preflight: there is nobody to read it.
    if (allowOrigins && !(refusal && req.method === 'OPTIONS')) allowOrigins(req, res, answer);
    else answer();
  };

  const server = createServer(
    {
      requireHostHeader: false, // node's own 400 says nothing; ours does
      IncomingMessage: OurRequest,
      ServerResponse: OurResponse,
      headersTimeout: HEAD_WITHIN_MS,
      requestTimeout: RECEIVE_WITHIN_MS,
      connectionsCheckingInterval: LOOK_FOR_LATE_MS,
      keepAlive: true,
      keepAliveTimeout: config.KEEP_ALIVE_SECONDS * 1_000,
    },
    // node was told to make them of classes that are Express' too
    serve as unknown as (req: IncomingMessage, res: ServerResponse) => void,
  );
  serveStreams(server, (req) => new OurResponse(req) as ParleyResponse, serve);
  admission.guard(server);
  server.maxHeadersCount = 0; // else node drops what comes after the 2,000th, a second Host among them
  respondRaw(server, common, knownMethods(contract.routes), admission.isWorthAnAnswer);
  // node would answer 417 without a word; an expectation that is not understood may be passed over (RFC 9110).
  server.on('checkExpectation', (req, res) => void server.emit('request', req, res));
  return server;
}

function crossOrigin(allowed: string[]) {
  return cors({
    origin: allowed.includes('*') ? '*' : allowed,
    exposedHeaders: ['Idempotent-Replayed', 'Location', 'Retry-After', 'X-Request-Id'],
    maxAge: 600,
  });
}
