/**
 * Responds to input for which Node creates no response: bytes that are not HTTP, a head that is too long, a request that
 * arrives too slowly, and CONNECT. Writes a problem to the socket and closes the connection.
 *
 * Invariants: nothing is written into a response that has begun, no request gets two responses, and responses to earlier
 * requests are sent first: a stored message gets its 201, whatever follows it on the connection. Relies on two internal
 * fields of Node: the response that is being written and the request that is being read.
 */
import { randomUUID } from 'node:crypto';
import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Server, Socket } from 'node:net';
import { Problem } from '../chat/problems.ts';
import { problemBody } from './problem-json.ts';
import type { ParleyResponse } from './request-context.ts';
import { STREAM_BEGUN } from './stream-response.ts';

type ParsedSocket = Socket & {
  _httpMessage?: ParleyResponse | null;
  parser?: { incoming?: IncomingMessage | null } | null;
};
type ParseError = NodeJS.ErrnoException & { rawPacket?: Buffer; bytesParsed?: number };
type RawAnswer = { status: number; problem: Problem; isHead: boolean; headers?: string[] };

/** How long a client may take to read the response before the connection is closed. */
const LINGER_MS = 2_000;

const STATUS_OF: Record<string, number> = {
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
};
const HINTS: Record<string, string> = {
  HPE_HEADER_OVERFLOW: 'Shorten the path, the query and the headers.',
  HPE_INVALID_URL: 'Percent-encode non-ASCII characters in the path.',
  ERR_HTTP_REQUEST_TIMEOUT: 'Send the whole request without pauses.',
};

/** `methods`: all methods that the server supports, for the Allow header. */
export function respondRaw(
  server: Server,
  securityHeaders: readonly string[],
  methods: string[],
  isWorthAnAnswer: (socket: Socket) => boolean = () => true,
): void {
  const handled = new WeakSet<Socket>();

  function end(socket: Socket, answer: RawAnswer): void {
    socket.end(serialize(answer, securityHeaders));
    setTimeout(() => socket.destroy(), LINGER_MS).unref();
  }

  /** `partial`: the request whose body could not be read to its end. */
  function respond(socket: ParsedSocket, partial: IncomingMessage | undefined, answer: RawAnswer): void {
    const pending = socket._httpMessage;
    if (!socket.writable) socket.destroy();
    else if (pending?.operation === 'openStream' && pending.headersSent) socket.destroySoon();
    else if (!pending && partial)
      socket.destroy(); // it already has its response
    else if (!pending || (pending.req === partial && isAwaited(partial) && !pending.headersSent))
      end(socket, answer);
    else {
      // Only the first of the two events has an effect: after it the socket is closed.
      pending.once('close', () => respond(socket, partial, answer));
      pending.once(STREAM_BEGUN, () => setImmediate(() => socket.destroySoon())); // after its first events
    }
  }

  server.on('clientError', (error: ParseError, socket: ParsedSocket) => {
    if (handled.has(socket)) return; // one response is enough for everything that cannot be parsed
    handled.add(socket);
    if (error.code === 'ECONNRESET') return void socket.destroy();
    if (!isWorthAnAnswer(socket) && !socket._httpMessage) return void socket.destroy();
    const reading = socket.parser?.incoming;
    const partial = reading && !reading.complete ? reading : undefined;
    // Node would close its side when the client does, before pending responses are sent.
    if (socket._httpMessage) socket.removeAllListeners('end');
    const isHead = partial ? partial.method === 'HEAD' : isHeadRequest(error);
    respond(socket, partial, { ...problemFor(error), isHead });
  });

  server.on('connect', (_req: IncomingMessage, socket: Socket) => {
    socket.on('error', () => {}).resume();
    const problem = new Problem(
      'method_not_allowed',
      `CONNECT is not allowed on this server. Allowed: ${methods.join(', ')}.`,
    );
    respond(socket, undefined, {
      status: 405,
      problem,
      isHead: false,
      headers: ['Allow', methods.join(', ')],
    });
  });
}

/** Whether an operation is reading the body; most operations take none and respond without it. */
const isAwaited = (request: IncomingMessage): boolean => request.listenerCount('data') > 0;

function problemFor({ code = '' }: ParseError): { status: number; problem: Problem } {
  const status = STATUS_OF[code] ?? 400;
  if (status === 413) {
    const detail = 'The chunk extensions of the body are too long. Send the body without them.';
    return { status, problem: new Problem('body_too_large', detail) };
  }
  const hint = HINTS[code] ?? 'Check the request line, the headers and the chunks of the body.';
  const detail = `The request cannot be parsed as HTTP (${STATUS_CODES[status]}). ${hint}`;
  return { status, problem: new Problem('validation_failed', detail) };
}

/** Best effort: the method is in the bytes of the head that was not parsed, if they are in the last packet. */
function isHeadRequest({ rawPacket, bytesParsed = 0 }: ParseError): boolean {
  const parsed = rawPacket?.toString('latin1', 0, bytesParsed) ?? '';
  const begin = parsed.lastIndexOf('\r\n\r\n');
  return /^(?:\r\n)*HEAD /.test(begin < 0 ? parsed : parsed.slice(begin + 4));
}

function serialize(
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
