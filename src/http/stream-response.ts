/**
 * How an event stream leaves HTTP. For as long as an answer is open, node keeps a parser, a request, a response and
 * their headers beside the socket: more than half of an idle stream. So a request for a stream is treated as an upgrade
 * (to WebSocket, say): once its head has been read, node lets go of the connection and hands over the socket. The head
 * of the answer is written by a response, which is then let go of as well; the body ends when the connection does.
 *
 * Relies on node asking a request whether it is an `upgrade`. With a node that was not tried, and where another answer is
 * still due on the connection, the stream goes through its response like any other answer: heavier, else the same.
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

/** What a response emits that has become a stream and keeps its connection: it will not be over soon. */
export const BEGUN = Symbol('begun');

/** Responses whose connection node has let go of, until they are over. */
const own = new WeakSet<ParleyResponse>();

/** From this version on node goes on parsing after an upgrade that the client did not ask for. */
const UNTRIED_NODE = 26;

/**
 * The class of requests that report a request for the stream at `path` as an upgrade. Node asks again when more bytes
 * arrive, so the answer must not change: a request with a body, or one that Node would refuse, is treated as any other.
 */
export function streamRequestClass(path: string): typeof ParleyRequest {
  if (Number.parseInt(process.versions.node, 10) >= UNTRIED_NODE) return ParleyRequest;
  const isStream = ({ method, url = '', headers }: IncomingMessage) =>
    method === 'GET' &&
    url.startsWith(path) &&
    (url.length === path.length || url[path.length] === '?') &&
    headers['content-length'] === undefined &&
    headers['transfer-encoding'] === undefined;
  return class extends ParleyRequest {
    get upgrade(): boolean {
      return (isStream(this) && !isAnswering(this.socket)) || this.method === 'CONNECT'; // refused in raw-responses
    }

    /** Node sets what the client asks for; nothing else is upgraded here. */
    set upgrade(_isRequested: boolean) {}
  };
}

/** Whether an earlier answer is still due. Node's own affair: where it is called otherwise, pipelined answers would mix. */
const isAnswering = (socket: Socket & { _httpMessage?: object }): boolean => Boolean(socket._httpMessage);

/** A request whose connection node has let go of goes the way of all others, with a response of its own. */
export function serveStreams(server: Server, serve: (req: ParleyRequest, res: ParleyResponse) => void): void {
  server.on('upgrade', (req: ParleyRequest, socket: Socket) => {
    const res = new ParleyResponse(req);
    res.shouldKeepAlive = false;
    res.removeHeader('Transfer-Encoding'); // not in chunks: the end of the connection is the end
    res.assignSocket(socket);
    res.on('finish', () => socket.destroySoon()); // a problem, and no stream
    socket.on('error', ignore).on('end', endToo).resume();
    own.add(res);
    serve(req, res);
  });
}

const ignore = (): void => {};
function endToo(this: Socket): void {
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
      if (own.has(res)) return letGo(res);
      res.emit(BEGUN);
      return res;
    },
  };
}

function letGo(res: ParleyResponse): Writable {
  const socket = res.socket!; // it is not over
  socket.cork();
  process.nextTick(() => socket.uncork()); // with the first events: one write
  res.flushHeaders();
  res.detachSocket(socket);
  res.emit('close'); // as an exchange it is over
  res.admission.letGo();
  return socket;
}
