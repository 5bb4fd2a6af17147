/**
 * One request and its answer, as this room sees them: Express' own, plus what is known of them while they last. Owns the
 * headers that every answer carries, and the line in the log when it is over.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Request, Response } from 'express';
import type { Logger } from '../logger.ts';
import type { Metrics } from '../metrics.ts';
import type { RequestAdmission } from './admission/request-admission.ts';
import type { OperationId } from './operations.ts';
import { type RequestTarget, shownPath } from './request-target.ts';

export type ParleyRequest = Request & { target: RequestTarget };
export type ParleyResponse = Response & {
  /** Of the server's making: the same for all. */
  readonly securityHeaders: string[];
  requestId: string;
  operation: OperationId | 'none';
  startedAtMs: number;
  /** A stream that may be opened later, if not now: see streams/rejected-stream. */
  comesBack?: boolean;
  /** What log and metrics are told instead of the status. */
  outcome?: number;
  admission: RequestAdmission;
};

const REQUEST_ID = /^[\w.:-]{1,128}$/;
/** Told to log and metrics only: who asked did not wait for the answer. (nginx has the same number for it.) */
const GONE_STATUS = 499;

/** The headers of every answer, as writeHead takes them: names and values. */
export const headOf = ({ requestId, securityHeaders }: ParleyResponse): string[] => [
  ...securityHeaders,
  'X-Request-Id',
  requestId,
];

/** For answers that are not written with writeHead, which is cheaper. */
export function setHeaders(res: ParleyResponse): ParleyResponse {
  const head = headOf(res);
  for (let i = 0; i < head.length; i += 2) res.setHeader(head[i]!, head[i + 1]!);
  return res;
}

/** Answers what to call when an exchange begins. */
export function createRequestContext(
  log: Logger,
  metrics: Metrics | undefined,
  ended: (res: ParleyResponse) => void,
) {
  /** One function for all responses, not a closure for each. */
  function told(this: ServerResponse): void {
    const res = this as ParleyResponse; // createBegin is the only one to hand it out
    ended(res);
    const status = res.outcome ?? (res.headersSent ? res.statusCode : GONE_STATUS);
    metrics?.request(res.operation, status);
    // Refusals come in floods; admission tells of them together.
    const level = status >= 400 && status < 500 && !res.admission.isRefused ? 'info' : 'debug';
    if (!log.isLevelEnabled(level)) return;
    const { requestId, operation, startedAtMs } = res;
    const req = res.req as Partial<ParleyRequest> & IncomingMessage; // without a target if that could not be read
    const path = shownPath(req.target?.path ?? req.url ?? '');
    const ms = Math.round(performance.now() - startedAtMs);
    log[level]({ requestId, operation, method: req.method, path, status, ms }, 'request');
  }

  return (req: ParleyRequest, res: ParleyResponse): void => {
    const given = req.headers['x-request-id'];
    res.requestId = typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID();
    res.operation = 'none';
    res.startedAtMs = performance.now();
    req.originalUrl = req.url; // as Express names it; /docs changes `url`
    res.on('close', told);
  };
}
