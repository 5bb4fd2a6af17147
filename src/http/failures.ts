/** Responds to failed requests: with a problem, or with a stream that only sets when to reconnect. */
import { PROBLEMS, type Problem } from '../chat/problems.ts';
import type { Logger } from '../logger.ts';
import type { Metrics } from '../metrics.ts';
import type { StreamAnswer } from '../streams/stream-types.ts';
import type { Admission } from './admission/admission.ts';
import { sendProblem, toProblem } from './problem-json.ts';
import { type ParleyResponse, setHeaders } from './request-context.ts';
import { streamAnswer } from './stream-response.ts';

/** Opens a stream that only sets when to reconnect: on an error status an EventSource would give up. */
export type RejectStream = (
  answer: StreamAnswer,
  code: 'unavailable' | 'too_many_requests',
  waitMs: number,
) => void;

/** Returns the function that turns an error into a problem, and logs it if it is the server's fault. */
export function createErrorReporter(log: Logger) {
  return (error: unknown, requestId: string): Problem => {
    const problem = toProblem(error);
    const { code } = problem;
    if (code === 'internal') log.error({ err: error, requestId }, 'unexpected error');
    else if (code === 'unavailable') log.warn({ requestId, reason: String(error) }, 'unavailable');
    return problem;
  };
}

export function createFailureHandler(options: {
  report: ReturnType<typeof createErrorReporter>;
  metrics: Metrics | undefined;
  admission: Pick<Admission, 'slowly'>;
  rejectStream: RejectStream;
}) {
  const { report, metrics, admission, rejectStream } = options;

  return (error: unknown, res: ParleyResponse): void => {
    if (res.admission.isDisconnected) return; // the client has disconnected
    const problem = report(error, res.requestId);
    if (res.writableEnded) return; // the request timed out and got its response then
    if (res.headersSent) return void res.destroy();
    metrics?.problemSent(problem.code);
    if (res.comesBack && problem.retryAfterSeconds !== undefined) {
      const { status } = PROBLEMS[problem.code];
      res.outcome = status;
      const code = status === 429 ? 'too_many_requests' : 'unavailable';
      const waitMs = problem.retryAfterSeconds * 1_000;
      // A reconnect uses a new connection, so pausing the connection would not slow the client down: delay the response.
      admission.slowly(res, () => rejectStream(streamAnswer(res), code, waitMs));
      return;
    }
    setHeaders(res);
    sendProblem(res, problem, res.requestId);
  };
}
