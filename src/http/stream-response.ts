/**
 * Detaches event streams from Node's HTTP objects. While a response is open, Node keeps a parser, a request, a response
 * and their headers beside the socket: more than half the memory of an idle stream. So a request for a stream is treated
 * as an upgrade (as for WebSocket): after its head, Node detaches its parser and hands over the socket. A response object
 * writes the head and is then detached as well; the body ends when the connection closes.
 *
 * Relies on Node reading `upgrade` from the request. With an untested version of Node, and while another response is
 * pending on the connection, the stream is sent through its response as usual: it takes more memory, and works the same.
 */
import type { IncomingMessage } from 'node:http';
import type { Server, Socket } from 'node:net';
import type { Writable } from 'node:stream';
import type { StreamAnswer } from '../streams/stream-request.ts';
import { headersOf, ParleyRequest, ParleyResponse } from './request-context.ts';

const STREAM_HEADERS = [
  ...['Content-Type', 'text/event-stream'],
  ...['Cache-Control', 'no-store, no-transform'],
  ...['X-Accel-Buffering', 'no'],
];

/** Emitted by a response that has become a stream and was not detached from its connection. */
export const STREAM_BEGUN = Symbol('stream begun');

/** Responses on connections that Node has handed over. */
const handedOver = new WeakSet<ParleyResponse>();

/** From this version on, Node continues to parse after an upgrade that the client did not ask for. */
const UNTESTED_NODE = 26;

/**
 * The class of requests that report a request for the stream at `path` as an upgrade. Node asks again when more bytes
 * arrive, so the answer must not change: a request with a body, or one that Node would reject, is treated as any other.
 */
export function streamRequestClass(path: string): typeof ParleyRequest {
  if (Number.parseInt(process.versions.node, 10) >= UNTESTED_NODE) return ParleyRequest;
  const isStream = ({ method, url = '', headers }: IncomingMessage) =>
    method === 'GET' &&
    url.startsWith(path) &&
    (url.length === path.length || url[path.length] === '?') &&
    headers['content-length'] === undefined &&
    headers['transfer-encoding'] === undefined;
  return class extends ParleyRequest {
    get upgrade(): boolean {
      return (isStream(this) && !hasPending(this.socket)) || this.method === 'CONNECT'; // rejected in raw-responses
    }

    /** Ignores what Node sets for an upgrade that the client asks for: none is supported. */
    set upgrade(_isRequested: boolean) {}
  };
}

/** Whether an earlier response is pending: a handover would mix it with the stream. `_httpMessage` is Node-internal. */
const hasPending = (socket: Socket & { _httpMessage?: object }): boolean => Boolean(socket._httpMessage);

/** Serves a request whose connection Node has handed over like any other, with a response created here. */
export function serveStreams(server: Server, serve: (req: ParleyRequest, res: ParleyResponse) => void): void {
  server.on('upgrade', (req: ParleyRequest, socket: Socket) => {
    const res = new ParleyResponse(req);
    res.shouldKeepAlive = false;
    res.removeHeader('Transfer-Encoding'); // not chunked: the stream ends with the connection
    res.assignSocket(socket);
    res.on('finish', () => socket.destroySoon()); // the response was a problem, not a stream
    socket.on('error', ignore).on('end', endSocket).resume();
    handedOver.add(res);
    serve(req, res);
  });
}

const ignore = (): void => {};
function endSocket(this: Socket): void {
  this.end();
}

export function streamAnswer(res: ParleyResponse): StreamAnswer {
  const { meter } = res.admission;
  return {
    ...(meter && { meter }),
    isOver: () => res.destroyed || res.headersSent,
    begin: () => {
      res.admission.isStream = true;
      res.writeHead(200, [...headersOf(res), ...STREAM_HEADERS]);
      if (handedOver.has(res)) return detach(res);
      res.emit(STREAM_BEGUN);
      return res;
    },
  };
}

function detach(res: ParleyResponse): Writable {
  const socket = res.socket!; // present until the response is over
  socket.cork();
  process.nextTick(() => socket.uncork()); // head and first events in one write
  res.flushHeaders();
  res.detachSocket(socket);
  res.emit('close'); // request and response are over, only the socket remains
  res.admission.becomeStream();
  return socket;
}
