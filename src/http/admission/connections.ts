/** The connections of a server: counted and capped per network, and cut when a response on one of them does not drain. */
import type { Server, Socket } from 'node:net';
import { networksAt } from '../client-ip.ts';
import type { Budget, Budgets } from './budgets.ts';
import { Connection } from './connection.ts';
import { connectionCap, openFileLimit, processCap } from './file-limit.ts';
import { pauseReading, type Reason, rawRejection } from './rejections.ts';

/** How long a rejected connection may take to read why, and how many may do so at a time. */
const LINGER_MS = 1_000;
const MAX_LINGERING = 64;

export type ConnectionSocket = Socket & { parley?: Connection };

export type ConnectionsOptions = {
  networks: Budgets;
  /** Connections per network; 'auto': a share of the files that this process may open. */
  cap: number | 'auto';
  /** Requests in flight per connection. */
  inFlight: number;
  /** Whether a proxy at this address is trusted: its connections stand for many clients. */
  isTrusted: (address: string, hop: number) => boolean;
  reject: (reason: Reason, network: string) => void;
};

export class Connections {
  readonly #options: ConnectionsOptions;
  readonly #files = openFileLimit();
  readonly #cap: number;
  /** Connections that are not streams: on these a response may be stuck. */
  readonly open = new Set<Connection>();
  #lingering = 0;

  /** One function for all sockets: an idle stream must not cost a closure. */
  readonly #onClose: (this: ConnectionSocket) => void;

  constructor(options: ConnectionsOptions) {
    this.#options = options;
    this.#cap = connectionCap(options.cap, this.#files);
    const close = (connection: Connection) => this.#close(connection);
    this.#onClose = function () {
      if (this.parley) close(this.parley);
    };
  }

  /** Counts what connects from now on. */
  guard(server: Server): void {
    const max = processCap(this.#files);
    if (max !== undefined) server.maxConnections = max;
    server.on('connection', (socket: ConnectionSocket) => this.#accept(socket));
    server.on('drop', (data) => this.#options.reject('connections', data?.remoteAddress ?? 'unknown'));
  }

  /** Counts one connection for all of the networks, or for none if one of them is at its cap. */
  count(budgets: Budget[]): boolean {
    for (const { connections, factor } of budgets) if (connections >= this.#cap * factor) return false;
    for (const budget of budgets) budget.connections += 1;
    return true;
  }

  /** Takes the count back now, or when the socket closes. */
  uncount(budgets: Budget[], socket?: Socket): void {
    if (socket && !socket.destroyed) socket.once('close', () => this.uncount(budgets));
    else for (const budget of budgets) budget.connections -= 1;
  }

  becomeStream(connection: Connection): void {
    this.open.delete(connection);
    connection.becomeStream();
  }

  /** Cuts the connections on which a response does not drain, and returns how many. */
  cutStuck(nowMs: number): number {
    let cut = 0;
    for (const connection of this.open) {
      if (!connection.isStuck(nowMs)) continue;
      connection.socket.destroy();
      cut += 1;
    }
    return cut;
  }

  #accept(socket: ConnectionSocket): void {
    const { networks, isTrusted, inFlight, reject } = this.#options;
    const address = socket.remoteAddress ?? '';
    const nowMs = performance.now();
    const budgets = isTrusted(address, 0)
      ? undefined
      : networksAt(address).map(({ key, factor }) => networks.of(key, factor, nowMs));
    const connection = new Connection(socket, budgets, inFlight);
    socket.parley = connection;
    if (budgets && !this.count(budgets)) {
      connection.isOver = true;
      reject('connections', networksAt(address)[0]!.key);
      this.#reject(socket);
      return;
    }
    this.open.add(connection);
    socket.on('close', this.#onClose);
    const network = budgets?.[0];
    // In the next tick: Node is about to read the socket for the first time, and would ignore a pause now.
    if (network?.isFlooding(performance.now())) process.nextTick(pauseReading, connection, network);
  }

  #close(connection: Connection): void {
    this.open.delete(connection);
    if (connection.budgets) this.uncount(connection.budgets);
    connection.close();
  }

  /** A lingering connection no longer counts; when too many linger, the next ones get no response. */
  #reject(socket: Socket): void {
    socket.on('error', () => {});
    if (this.#lingering >= MAX_LINGERING) return void socket.destroy();
    this.#lingering += 1;
    socket.end(rawRejection());
    const timer = setTimeout(() => socket.destroy(), LINGER_MS).unref();
    socket.on('close', () => {
      clearTimeout(timer);
      this.#lingering -= 1;
    });
  }
}
