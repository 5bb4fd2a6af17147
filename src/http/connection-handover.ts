/**
 * Makes Node hand over the connection of some requests in the server's `upgrade` event, although the client has not asked
 * for an upgrade: Node then releases its parser, its listeners and its timers, and whatever follows is not parsed.
 *
 * Relies on three internals of Node, which are the same in 20, 22, 24 and 26: `socket.parser.onIncoming` is called with
 * each parsed head, sets `upgrade` of the request, and returns what the parser does next; `socket._httpMessage` is the
 * response that is being written. On a version that was not tested nothing is handed over. `npm run runtimes` tests them.
 */
import type { IncomingMessage } from 'node:http';
import type { Server, Socket } from 'node:net';

type Incoming = IncomingMessage & { upgrade?: boolean };
type OnIncoming = (req: Incoming, keepAlive: boolean) => number;
type ParsedSocket = Socket & { parser?: { onIncoming?: OnIncoming }; _httpMessage?: object | null };

const LATEST_TESTED_NODE = 26;
/** The parser stops after this head. Node 26 returns it only for upgrades that the client has asked for. */
const STOP_PARSING = 2;

/** A request with a body is never handed over, nor is one behind a pending response, which would be mixed with its own. */
export function handOverConnections(server: Server, isWanted: (req: IncomingMessage) => boolean): void {
  if (Number.parseInt(process.versions.node, 10) > LATEST_TESTED_NODE) return;
  server.on('connection', (socket: ParsedSocket) => {
    const { parser } = socket;
    const onIncoming = parser?.onIncoming;
    if (!parser || !onIncoming) return;
    parser.onIncoming = (req, keepAlive) => {
      const isHandedOver = isWanted(req) && !hasBody(req) && !socket._httpMessage;
      req.upgrade = isHandedOver || req.method === 'CONNECT'; // rejected in raw-responses
      const next = onIncoming(req, keepAlive);
      return isHandedOver ? STOP_PARSING : next;
    };
  });
}

const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined;
