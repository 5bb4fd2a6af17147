/**
 * The step that every request takes before any work is done for it (decision 016): connections are counted per network,
 * points are taken from the buckets of its networks and its account, and what is in flight is bounded. All of it in the
 * memory of this node; what is refused is 429 with an honest Retry-After, and costs as little as can be.
 */
import type { Server, Socket } from 'node:net';
import type { Problem } from '../../chat/problems.ts';
import type { Config } from '../../config.ts';
import type { Logger } from '../../logger.ts';
import type { Metrics } from '../../metrics.ts';
import { AnswerTimeout } from '../answer-timeout.ts';
import { createNetworksFinder, createProxyTrust, networksAt } from '../client-ip.ts';
import type { ParleyRequest, ParleyResponse } from '../request-context.ts';
import { type Budget, Budgets } from './budgets.ts';
import { Connection } from './connection.ts';
import { connectionCap, openFileLimit, processCap } from './file-limit.ts';
import { createPacing } from './pacing.ts';
import { ENTRY_POINTS, FAULT_POINTS, PAGE_PRICE } from './prices.ts';
import { type Reason, rawRejection, rest } from './rejections.ts';
import { RequestAdmission } from './request-admission.ts';

export type AdmissionConfig = Pick<
  Config,
  | 'ACCOUNT_BUDGET'
  | 'ACCOUNT_IN_FLIGHT'
  | 'CONNECTION_IN_FLIGHT'
  | 'NETWORK_BUDGET'
  | 'NETWORK_CONNECTIONS'
  | 'NETWORK_IN_FLIGHT'
  | 'TRUST_PROXY'
>;
export type Admission = ReturnType<typeof createAdmission>;

/** So many accounts and networks are remembered, beside those that are in use: some 10 MB each. */
const REMEMBERED = 50_000;
/** How often answers that do not leave are looked for, buckets that are full again forgotten, refusals told. */
const LOOK_EVERY_MS = 5_000;
/** Whatever refused it: admission, a limit, or the queue for password checks. */
const REFUSED = [429, 503];
/** How long a refused connection may take to read why, and how many may at a time. */
const LINGER_MS = 1_000;
const MOST_LINGERING = 64;

type KnownSocket = Socket & { parley?: Connection };

export function createAdmission(options: {
  config: AdmissionConfig;
  log: Logger;
  metrics: Metrics | undefined;
  /** How many streams this node has. */
  streamCount: () => number;
}) {
  const { config, log, metrics, streamCount } = options;
  const isTrusted = createProxyTrust(config.TRUST_PROXY);
  const limits = { budget: config.NETWORK_BUDGET, inFlight: config.NETWORK_IN_FLIGHT };
  const networks = new Budgets(limits, REMEMBERED);
  const accounts = new Budgets(
    { budget: config.ACCOUNT_BUDGET, inFlight: config.ACCOUNT_IN_FLIGHT },
    REMEMBERED,
  );
  const files = openFileLimit();
  const cap = connectionCap(config.NETWORK_CONNECTIONS, files);
  const findNetworks = createNetworksFinder(config.TRUST_PROXY, log);
  /** Connections that are not streams: on these an answer may be stuck. */
  const watched = new Set<Connection>();
  const pacing = createPacing(watched);
  const refusals = new Map<Reason, { count: number; network: string }>();
  let lingering = 0;

  function refused(reason: Reason, network: string): void {
    metrics?.refused(reason);
    const told = refusals.get(reason);
    if (told) told.count += 1;
    else refusals.set(reason, { count: 1, network });
  }

  const budgetsAt = (address: string, nowMs: number): Budget[] =>
    networksAt(address).map(({ key, factor }) => networks.of(key, factor, nowMs));

  /** Counts one more, of all the networks or of none. */
  function connect(budgets: Budget[]): boolean {
    for (const { connections, factor } of budgets) if (connections >= cap * factor) return false;
    for (const budget of budgets) budget.connections += 1;
    return true;
  }
  const disconnect = (budgets: Budget[]): void => {
    for (const budget of budgets) budget.connections -= 1;
  };
  /** A stream counts until its socket closes. */
  const uncount = (budgets: Budget[], socket?: Socket): void => {
    if (!socket || socket.destroyed) disconnect(budgets);
    else socket.once('close', () => disconnect(budgets));
  };
  const streaming = (connection: Connection): void => {
    watched.delete(connection);
    connection.becomeStream();
  };
  const context = { accounts, refused, streaming, uncount, audience: streamCount };

  function accept(socket: KnownSocket): void {
    const address = socket.remoteAddress ?? '';
    // A trusted proxy's connection stands for many clients.
    const budgets = isTrusted(address, 0) ? undefined : budgetsAt(address, performance.now());
    const connection = new Connection(socket, budgets, config.CONNECTION_IN_FLIGHT);
    socket.parley = connection;
    if (budgets && !connect(budgets)) {
      connection.isOver = true;
      refused('connections', networksAt(address)[0]!.key);
      refuseConnection(socket);
      return;
    }
    watched.add(connection);
    socket.on('close', closed);
    const network = budgets?.[0];
    // Not at once: node is about to read it for the first time, and would not be stopped.
    if (network?.isFlooding(performance.now())) process.nextTick(rest, connection, network);
  }

  function closed(this: KnownSocket): void {
    const connection = this.parley!;
    watched.delete(connection);
    if (connection.budgets) disconnect(connection.budgets);
    connection.close();
  }

  /** One that lingers is as good as closed; where too many do, they hear nothing. */
  function refuseConnection(socket: Socket): void {
    socket.on('error', () => {});
    if (lingering >= MOST_LINGERING) return void socket.destroy();
    lingering += 1;
    socket.end(rawRejection());
    const end = setTimeout(() => socket.destroy(), LINGER_MS).unref();
    socket.on('close', () => {
      clearTimeout(end);
      lingering -= 1;
    });
  }

  const look = setInterval(() => {
    const nowMs = performance.now();
    networks.sweep(nowMs);
    accounts.sweep(nowMs);
    for (const connection of watched) {
      if (!connection.isStuck(nowMs)) continue;
      metrics?.cut();
      log.info('an answer did not leave: its connection was cut');
      connection.socket.destroy();
    }
    for (const [reason, { count, network }] of refusals) log.warn({ reason, count, network }, 'refused');
    refusals.clear();
  }, LOOK_EVERY_MS).unref();

  return {
    /** Counts what connects from now on. */
    guard(server: Server): void {
      const most = processCap(files);
      if (most !== undefined) server.maxConnections = most;
      server.on('connection', accept);
      server.on('drop', (data) => refused('connections', data?.remoteAddress ?? 'unknown'));
      server.on('close', () => clearInterval(look));
    },

    /** Whether nothing that comes on this connection is answered any more. */
    isOver: (req: ParleyRequest): boolean => connectionOf(req).isOver,

    /** A request has come: the problem if it must not go on. */
    begin(req: ParleyRequest, res: ParleyResponse): Problem | undefined {
      const connection = connectionOf(req);
      pacing.began(connection);
      const { startedAtMs } = res;
      const own = connection.budgets;
      const from = findNetworks(req);
      const budgets = own ?? from.map(({ key, factor }) => networks.of(key, factor, startedAtMs));
      const admission = new RequestAdmission(context, connection, {
        res,
        startedAtMs,
        networks: from,
        budgets,
      });
      res.admission = admission;
      if (!connection.begin(admission)) {
        connection.isOver = true; // it would go on for ever
        res.shouldKeepAlive = false;
        admission.refusal = admission.problem('in_flight');
        return admission.refusal;
      }
      admission.refusal = admission.arrive();
      if (own || admission.refusal) return admission.refusal;
      admission.isCounted = connect(budgets);
      if (!admission.isCounted) admission.refusal = admission.problem('connections');
      return admission.refusal;
    },

    /** The answer has left, or never will. */
    end(res: ParleyResponse): void {
      const { admission } = res;
      if (res.operation === 'none') admission.answered(Number(res.getHeader('Content-Length') ?? 0));
      const status = res.outcome ?? res.statusCode;
      if (status >= 400 && status < 500 && !admission.isRefused) admission.inVain(FAULT_POINTS);
      admission.left();
      const isRefused = admission.isRefused || REFUSED.includes(res.statusCode);
      const { budgets } = admission.connection;
      if (isRefused && !admission.isStream && budgets) rest(admission.connection, budgets[0]!);
    },

    /** Calls `answer` now, or after a rest where that answer is a refusal. */
    slowly({ admission }: ParleyResponse, answer: () => void): void {
      const network = admission.isRefused && admission.connection.budgets?.[0];
      if (network) setTimeout(answer, network.restMs(performance.now())).unref();
      else answer();
    },

    /** What came cannot be read as HTTP. It is charged like any other fault; false: it is not worth a word. */
    isWorthAnAnswer(socket: KnownSocket): boolean {
      const budgets = socket.parley?.budgets ?? [];
      for (const budget of budgets) budget.spend(ENTRY_POINTS + FAULT_POINTS);
      const nowMs = performance.now();
      return budgets.every((budget) => budget.waitMs(nowMs) === 0);
    },

    /** Serves a page when it may. */
    page({ admission }: ParleyResponse, serve: () => void, fail: (error: unknown) => void): void {
      let turn: Promise<void> | undefined;
      try {
        turn = admission.enter(PAGE_PRICE);
      } catch (error) {
        fail(error);
        return;
      }
      if (!turn) {
        serve();
        admission.done();
        return;
      }
      const timeout = new AnswerTimeout(() => admission.stop(admission.problem('in_flight')));
      timeout.start();
      turn.then(serve, fail).finally(() => {
        timeout.stop();
        admission.done();
      });
    },
  };
}

/** Requests come only on connections that were accepted. */
const connectionOf = (req: ParleyRequest): Connection => (req.socket as KnownSocket).parley!;
