/**
 * The step that every request takes before any work is done for it (decision 016): connections are counted per network,
 * points are taken from the budgets of its networks and its account, and requests in flight are bounded. All of it is in
 * the memory of this node. A rejected request gets 429 with an accurate Retry-After, and costs as little as possible.
 */
import type { Server } from 'node:net';
import type { Problem } from '../../chat/problems.ts';
import type { Config } from '../../config.ts';
import type { Logger } from '../../logger.ts';
import type { Metrics } from '../../metrics.ts';
import { AnswerTimeout } from '../answer-timeout.ts';
import { createNetworksFinder, createProxyTrust } from '../client-ip.ts';
import type { ParleyRequest, ParleyResponse } from '../request-context.ts';
import type { AdmissionContext } from './admission-context.ts';
import { Budgets } from './budgets.ts';
import type { Connection } from './connection.ts';
import { type ConnectionSocket, Connections } from './connections.ts';
import { createPacing } from './pacing.ts';
import { ENTRY_POINTS, FAULT_POINTS, PAGE_PRICE } from './price-classes.ts';
import { RejectionLog } from './rejection-log.ts';
import { pauseReading } from './rejections.ts';
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

export type AdmissionOptions = {
  config: AdmissionConfig;
  log: Logger;
  metrics: Metrics | undefined;
  /** How many streams this node has: a broadcast is charged for each. */
  streamCount: () => number;
};

/** Accounts and networks that are remembered in addition to those in use; about 10 MB each. */
const MAX_REMEMBERED = 50_000;
/** How often stuck responses are cut, full budgets forgotten, and rejections logged. */
const MAINTENANCE_EVERY_MS = 5_000;
/** Rejections by admission, by a limit, or by the queue for password checks. */
const REJECTED = [429, 503];

export class Admission {
  readonly #log: Logger;
  readonly #metrics: Metrics | undefined;
  readonly #networks: Budgets;
  readonly #accounts: Budgets;
  readonly #connections: Connections;
  readonly #findNetworks: ReturnType<typeof createNetworksFinder>;
  readonly #pacing: ReturnType<typeof createPacing>;
  readonly #rejections: RejectionLog;
  readonly #context: AdmissionContext;

  constructor({ config, log, metrics, streamCount }: AdmissionOptions) {
    this.#log = log;
    this.#metrics = metrics;
    const limits = { budget: config.NETWORK_BUDGET, inFlight: config.NETWORK_IN_FLIGHT };
    const accountLimits = { budget: config.ACCOUNT_BUDGET, inFlight: config.ACCOUNT_IN_FLIGHT };
    this.#networks = new Budgets(limits, MAX_REMEMBERED);
    this.#accounts = new Budgets(accountLimits, MAX_REMEMBERED);
    this.#rejections = new RejectionLog(log, metrics);
    this.#findNetworks = createNetworksFinder(config.TRUST_PROXY, log);
    const onReject: AdmissionContext['onReject'] = (reason, network) => this.#rejections.add(reason, network);
    this.#connections = new Connections({
      networks: this.#networks,
      cap: config.NETWORK_CONNECTIONS,
      inFlight: config.CONNECTION_IN_FLIGHT,
      isTrusted: createProxyTrust(config.TRUST_PROXY),
      reject: onReject,
    });
    this.#pacing = createPacing(this.#connections.open);
    this.#context = {
      accounts: this.#accounts,
      onReject,
      becomeStream: (connection) => this.#connections.becomeStream(connection),
      uncount: (budgets, socket) => this.#connections.uncount(budgets, socket),
      streamCount,
    };
  }

  /** Counts what connects to the server from now on. */
  guard(server: Server): void {
    this.#connections.guard(server);
    const timer = setInterval(() => this.#maintain(), MAINTENANCE_EVERY_MS).unref();
    server.on('close', () => clearInterval(timer));
  }

  /** Whether nothing more on this connection gets a response. */
  isOver(req: ParleyRequest): boolean {
    return connectionOf(req).isOver;
  }

  /** A request has started: returns a problem if it must not go on. */
  begin(req: ParleyRequest, res: ParleyResponse): Problem | undefined {
    const connection = connectionOf(req);
    this.#pacing.began(connection);
    const { startedAtMs } = res;
    const own = connection.budgets;
    const networks = this.#findNetworks(req);
    const budgets = own ?? networks.map(({ key, factor }) => this.#networks.of(key, factor, startedAtMs));
    const admission = new RequestAdmission(this.#context, connection, {
      res,
      startedAtMs,
      networks,
      budgets,
    });
    res.admission = admission;
    if (!connection.begin(admission)) {
      connection.isOver = true; // it would send more without end
      res.shouldKeepAlive = false;
      admission.rejection = admission.reject('in_flight');
      return admission.rejection;
    }
    admission.rejection = admission.chargeEntry();
    if (own || admission.rejection) return admission.rejection;
    admission.isCounted = this.#connections.count(budgets);
    if (!admission.isCounted) admission.rejection = admission.reject('connections');
    return admission.rejection;
  }

  /** The response was sent, or never will be. */
  end(res: ParleyResponse): void {
    const { admission } = res;
    if (res.operation === 'none') admission.chargeResponse(Number(res.getHeader('Content-Length') ?? 0));
    const status = res.outcome ?? res.statusCode;
    if (status >= 400 && status < 500 && !admission.isRejected) admission.chargeFault(FAULT_POINTS);
    admission.responseEnded();
    const isRejected = admission.isRejected || REJECTED.includes(res.statusCode);
    const { budgets } = admission.connection;
    if (isRejected && !admission.isStream && budgets) pauseReading(admission.connection, budgets[0]!);
  }

  /** Calls `respond` now, or after a rest if the response is a rejection. */
  slowly({ admission }: ParleyResponse, respond: () => void): void {
    const network = admission.isRejected && admission.connection.budgets?.[0];
    if (network) setTimeout(respond, network.nextPauseMs(performance.now())).unref();
    else respond();
  }

  /** Charges for bytes that are not HTTP. False: the networks have nothing left, and get no response. */
  isWorthAnAnswer(socket: ConnectionSocket): boolean {
    const budgets = socket.parley?.budgets ?? [];
    for (const budget of budgets) budget.spend(ENTRY_POINTS + FAULT_POINTS);
    const nowMs = performance.now();
    return budgets.every((budget) => budget.waitMs(nowMs) === 0);
  }

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
    const timeout = new AnswerTimeout(() => admission.abort(admission.reject('in_flight')));
    timeout.start();
    turn.then(serve, fail).finally(() => {
      timeout.stop();
      admission.done();
    });
  }

  #maintain(): void {
    const nowMs = performance.now();
    this.#networks.forgetIdle(nowMs);
    this.#accounts.forgetIdle(nowMs);
    for (let cut = this.#connections.cutStuck(nowMs); cut > 0; cut -= 1) {
      this.#metrics?.responseCut();
      this.#log.info('a response did not drain: its connection was cut');
    }
    this.#rejections.flush();
  }
}

/** Requests arrive only on connections that were accepted. */
const connectionOf = (req: ParleyRequest): Connection => (req.socket as ConnectionSocket).parley!;
