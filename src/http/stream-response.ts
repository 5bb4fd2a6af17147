/**
 * Detaches event streams from Node's HTTP objects. While a response is open, Node keeps a parser, a request, a response
 * and their headers beside the socket: more than half the memory of an idle stream. So the connection of a request for a
 * stream is handed over as if for an upgrade. A response object writes the head and is then detached as well; the body
 * ends when the connection closes.
 *
 * A stream that is not handed over is sent through its response as usual: it takes more memory, and works the same.
 */
import type { IncomingMessage } from 'node:http';
import type { Server, Socket } from 'node:net';
import type { Writable } from 'node:stream';
import type { StreamAnswer } from '../streams/stream-types.ts';
import { handOverConnections } from './connection-handover.ts';
import { headersOf, type ParleyRequest, ParleyResponse } from './request-context.ts';

const STREAM_HEADERS = [
  ...['Content-Type', 'text/event-stream'],
  ...['Cache-Control', 'no-store, no-transform'],
  ...['X-Accel-Buffering', 'no'],
];

/** Emitted by a response that has become a stream and was not detached from its connection. */
export const STREAM_BEGUN = Symbol('stream begun');

/** Responses on connections that Node has handed over. */
const handedOver = new WeakSet<ParleyResponse>();

/** Serves requests for the stream at `path` like any other, but with a response that is created here. */
export function serveStreams(
  server: Server,
  path: string,
  serve: (req: ParleyRequest, res: ParleyResponse) => void,
): void {
  const isStream = ({ method, url = '' }: IncomingMessage) =>
    method === 'GET' && url.startsWith(path) && (url.length === path.length || url[path.length] === '?');
  handOverConnections(server, isStream);
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
