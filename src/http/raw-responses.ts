/**
 * What never becomes a request that anybody could serve: bytes that are no HTTP, a head that is too long, a request that
 * comes too slowly, CONNECT. Answered by hand, as a problem like any other, and then the connection ends.
 *
 * Rule: nothing is written into an answer that has begun, no request is answered twice, and what is due for earlier
 * requests leaves first: a send that was stored gets its 201, whatever comes behind it. Relies on two names of node's
 * own, the answer that is being written and the request that is being read.
 */
import { randomUUID } from 'node:crypto';
import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Server, Socket } from 'node:net';
import { Problem } from '../chat/problems.ts';
import { problemBody } from './problem-json.ts';
import type { ParleyResponse } from './request-context.ts';
import { BEGUN } from './stream-response.ts';

type ParsedSocket = Socket & {
  _httpMessage?: ParleyResponse | null;
  parser?: { incoming?: IncomingMessage | null } | null;
};
type ParseError = NodeJS.ErrnoException & { rawPacket?: Buffer; bytesParsed?: number };
type RawAnswer = { status: number; problem: Problem; isHead: boolean; headers?: string[] };

/** How long a client may take to read why, before the connection is cut. */
const LINGER_MS = 2_000;

const STATUS_OF: Record<string, number> = {
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
};

/** `methods`: what the server knows at all, for those who ask it for something else. */
export function respondRaw(
  server: Server,
  securityHeaders: readonly string[],
  methods: string[],
  isWorthAnAnswer: (socket: Socket) => boolean = () => true,
): void {
  const told = new WeakSet<Socket>();

  function end(socket: Socket, answer: RawAnswer): void {
    socket.end(text(answer, securityHeaders));
    setTimeout(() => socket.destroy(), LINGER_MS).unref();
  }

  /** `half`: the request whose body is what cannot be read. */
  function settle(socket: ParsedSocket, half: IncomingMessage | undefined, answer: RawAnswer): void {
    const due = socket._httpMessage;
    if (!socket.writable) socket.destroy();
    else if (due?.operation === 'openStream' && due.headersSent) socket.destroySoon();
    else if (!due && half)
      socket.destroy(); // it has its answer
    else if (!due || (due.req === half && isAwaited(half) && !due.headersSent)) end(socket, answer);
    else {
      // Each once, and the second finds nothing more to do.
      due.once('close', () => settle(socket, half, answer));
      due.once(BEGUN, () => setImmediate(() => socket.destroySoon())); // with its first events
    }
  }

  server.on('clientError', (error: ParseError, socket: ParsedSocket) => {
    if (told.has(socket)) return; // whatever else comes is part of the same rubbish
    told.add(socket);
    if (error.code === 'ECONNRESET') return void socket.destroy();
    if (!isWorthAnAnswer(socket) && !socket._httpMessage) return void socket.destroy();
    const reading = socket.parser?.incoming;
    const half = reading && !reading.complete ? reading : undefined;
    if (socket._httpMessage) socket.removeAllListeners('end'); // node would end its own half, and what is due with it
    const isHead = half ? half.method === 'HEAD' : wasHead(error);
    settle(socket, half, { ...wordsFor(error), isHead });
  });

  server.on('connect', (_req: IncomingMessage, socket: Socket) => {
    socket.on('error', () => {}).resume();
    const problem = new Problem(
      'method_not_allowed',
      `CONNECT is not for this server; ${methods.join(', ')} is.`,
    );
    settle(socket, undefined, {
      status: 405,
      problem,
      isHead: false,
      headers: ['Allow', methods.join(', ')],
    });
  });
}

/** Whether an operation waits for the body; most do not want one, and answer all the same. */
const isAwaited = (request: IncomingMessage): boolean => request.listenerCount('data') > 0;

function wordsFor({ code = '' }: ParseError): { status: number; problem: Problem } {
  const status = STATUS_OF[code] ?? 400;
  if (status === 413)
    return { status, problem: new Problem('body_too_large', 'The chunks of the body say too much.') };
  const hint = code === 'HPE_INVALID_URL' ? ' Percent-encode what is not ASCII in the path.' : '';
  const detail = `The request could not be read as HTTP (${STATUS_CODES[status]}).${hint}`;
  return { status, problem: new Problem('validation_failed', detail) };
}

/** The method of a head that could not be read whole, as far as its bytes are at hand. */
function wasHead({ rawPacket, bytesParsed = 0 }: ParseError): boolean {
  const read = rawPacket?.toString('latin1', 0, bytesParsed) ?? '';
  const begin = read.lastIndexOf('\r\n\r\n');
  return /^(?:\r\n)*HEAD /.test(begin < 0 ? read : read.slice(begin + 4));
}

function text(
  { status, problem, isHead, headers = [] }: RawAnswer,
  securityHeaders: readonly string[],
): string {
  const requestId = randomUUID();
  const body = JSON.stringify({ ...problemBody(problem, requestId), status });
  const all = [
    ...securityHeaders,
    ...['Cache-Control', 'no-store', 'Content-Type', 'application/problem+json'],
    ...['Content-Length', String(Buffer.byteLength(body)), 'X-Request-Id', requestId, ...headers],
    ...['Date', new Date().toUTCString(), 'Connection', 'close'],
  ];
  const lines = [`HTTP/1.1 ${status} ${STATUS_CODES[status]}`];
  for (let i = 0; i < all.length; i += 2) lines.push(`${all[i]}: ${all[i + 1]}`);
  return `${lines.join('\r\n')}\r\n\r\n${isHead ? '' : body}`;
}
