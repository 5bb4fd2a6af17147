/**
 * A request and its response, and what is known about them while they last. Owns the headers that every response
 * carries, and the log line and the metrics of each request.
 */
import { randomUUID } from 'node:crypto';
import { IncomingMessage, type Server, ServerResponse } from 'node:http';
import type { Logger } from '../logger.ts';
import type { Metrics } from '../metrics.ts';
import type { RequestAdmission } from './admission/request-admission.ts';
import type { OperationId } from './operations/types.ts';
import { type RequestTarget, shownPath } from './request-target.ts';

export class ParleyRequest extends IncomingMessage {
  /** Set by the head validation, before anything else looks at the request. */
  declare target: RequestTarget;
}

/** The fields are set when the request begins. */
export class ParleyResponse extends ServerResponse<ParleyRequest> {
  declare server: ServerContext;
  declare requestId: string;
  declare operation: OperationId | 'none';
  /** The username, once the request is authenticated. */
  declare account?: string;
  declare startedAtMs: number;
  declare admission: RequestAdmission;
  /** A stream that may be opened later, if not now: see streams/rejected-stream. */
  declare comesBack?: boolean;
  /** What is logged and counted instead of the status. */
  declare outcome?: number;

  /** While the node shuts down each response is the last one on its connection, so that clients move to another node. */
  override writeHead(...head: unknown[]): this {
    if (this.server.isClosing()) this.shouldKeepAlive = false;
    return super.writeHead(...(head as Parameters<ServerResponse['writeHead']>));
  }
}

export type HttpServer = Server<typeof ParleyRequest, typeof ParleyResponse>;

/** What all responses of a server share. */
export type ServerContext = {
  /** Names and values, one after the other. */
  securityHeaders: readonly string[];
  /** The node is shutting down. */
  isClosing: () => boolean;
};

const REQUEST_ID = /^[\w.:-]{1,128}$/;
/** For log and metrics only: the client did not wait for the response. (nginx uses the same number.) */
const CLIENT_CLOSED_REQUEST = 499;

/** The headers of every response, as writeHead takes them: names and values. */
export const headersOf = ({ requestId, server }: ParleyResponse): string[] => [
  ...server.securityHeaders,
  'X-Request-Id',
  requestId,
];

/** For responses that do not list their headers in writeHead, which is cheaper. */
export function setHeaders(res: ParleyResponse): void {
  const headers = headersOf(res);
  for (let i = 0; i < headers.length; i += 2) res.setHeader(headers[i]!, headers[i + 1]!);
}

/** Returns the function to call when a request begins. */
export function createRequestContext(options: {
  server: ServerContext;
  log: Logger;
  /** Whether the log line of a request contains the network of its client. */
  logsNetworks: boolean;
  metrics: Metrics | undefined;
  /** The response was sent, or never will be. */
  onEnd: (res: ParleyResponse) => void;
}) {
  const { server, log, logsNetworks, metrics, onEnd } = options;

  /** One function for all responses, not a closure for each. */
  function ended(this: ParleyResponse): void {
    onEnd(this);
    const { requestId, operation, account, startedAtMs, req } = this;
    const status = this.outcome ?? (this.headersSent ? this.statusCode : CLIENT_CLOSED_REQUEST);
    metrics?.requestEnded(operation, status, (performance.now() - startedAtMs) / 1_000);
    // Rejections come in floods; admission logs them together.
    const level = status >= 400 && status < 500 && !this.admission.isRejected ? 'info' : 'debug';
    if (!log.isLevelEnabled(level)) return;
    const { target = { path: req.url ?? '' } } = req as Partial<ParleyRequest>; // unset if it could not be parsed
    const ms = Math.round(performance.now() - startedAtMs);
    const network = logsNetworks ? this.admission.networks[0]?.key : undefined;
    log[level](
      {
        requestId,
        operation,
        method: req.method,
        path: shownPath(target.path),
        status,
        ms,
        account,
        network,
      },
      'request',
    );
  }

  return (req: ParleyRequest, res: ParleyResponse): void => {
    const requestId = req.headers['x-request-id'];
    res.server = server;
    res.requestId = typeof requestId === 'string' && REQUEST_ID.test(requestId) ? requestId : randomUUID();
    res.operation = 'none';
    res.startedAtMs = performance.now();
    res.on('close', ended);
  };
}
