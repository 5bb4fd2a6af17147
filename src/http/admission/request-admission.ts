/**
 * One request on its way through admission: which buckets it is charged to, which gates it has passed, and the signal
 * that tells its work to stop. Its places are given back when its work has ended and its answer has left.
 */
import type { ServerResponse } from 'node:http';
import type { Network } from '../../chat/model.ts';
import { Problem } from '../../chat/problems.ts';
import type { ReplayBudget } from '../../streams/stream.ts';
import type { AdmissionContext } from './admission-context.ts';
import type { Budget } from './budgets.ts';
import type { Connection, OnConnection } from './connection.ts';
import {
  ANSWER_BYTES,
  BAD_BODY_FACTOR,
  BODY_BYTES,
  ENTRY_POINTS,
  FAN_OUT_BYTES,
  type Price,
} from './prices.ts';
import { IN_FLIGHT_RETRY_MS, problemOf, type Reason } from './rejections.ts';
import { createReplayBudget } from './replay-budget.ts';
import type { Semaphore, Waiting } from './semaphore.ts';

const GONE = new Problem('unavailable', 'The client has gone.');
export class RequestAdmission implements OnConnection {
  readonly res: ServerResponse;
  readonly startedAtMs: number;
  /** Where the request comes from. */
  readonly networks: Network[];
  readonly connection: Connection;
  isStream = false;
  isRefused = false;
  /** It has spent a ticket, and has no other: what follows may not be refused for its points. */
  hasTicket = false;
  /** What a network or the connection has too little room for; told where the path is known. */
  refusal: Problem | undefined;
  /** Behind a proxy an open request stands for a connection. */
  isCounted = false;
  readonly #context: AdmissionContext;
  readonly #budgets: Budget[];
  #username: string | undefined;
  #account: Budget | undefined;
  #places = 0;
  #bodyPoints = 0;
  /** How many gates it has passed: of the connection, of the account, of each network. */
  #passed = 0;
  #isWorking = false;
  #isLeaving = true;
  #waiting: Waiting | undefined;
  #refuse: ((problem: Problem) => void) | undefined;
  #stopped: Problem | undefined;
  #controller: AbortController | undefined;

  constructor(
    context: AdmissionContext,
    connection: Connection,
    from: { res: ServerResponse; startedAtMs: number; networks: Network[]; budgets: Budget[] },
  ) {
    this.#context = context;
    this.connection = connection;
    this.res = from.res;
    this.startedAtMs = from.startedAtMs;
    this.networks = from.networks;
    this.#budgets = from.budgets;
  }

  /** Aborted when the client has gone or its time is up. Made when somebody looks at it. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#stopped) this.#controller.abort(this.#stopped);
    return this.#controller.signal;
  }

  get isGone(): boolean {
    return this.#stopped === GONE;
  }

  get isWaiting(): boolean {
    return this.#waiting !== undefined;
  }

  /** The problem if a network has nothing left; else the price of coming here at all is taken. */
  arrive(): Problem | undefined {
    let waitMs = 0;
    for (const budget of this.#budgets) waitMs = Math.max(waitMs, budget.waitMs(this.startedAtMs));
    if (waitMs > 0) return this.problem('budget', waitMs);
    for (const budget of this.#budgets) budget.spend(ENTRY_POINTS);
    return undefined;
  }

  /** From here on the account is charged as well. */
  identify(username: string): void {
    this.#username = username;
    this.#account = this.#context.accounts.of(username, 1, this.startedAtMs);
    this.#checkBudgets(this.startedAtMs);
  }

  received(bytes: number): void {
    if (bytes < BODY_BYTES) return;
    this.#bodyPoints = Math.floor(bytes / BODY_BYTES);
    this.#spend(this.#bodyPoints);
  }

  /** The connection closed after this many bytes of the body: refunds the charge for the rest. */
  endedEarly(bytes: number): void {
    const points = Math.min(this.#bodyPoints, Math.floor(bytes / BODY_BYTES));
    this.#spend(points - this.#bodyPoints);
    this.#bodyPoints = points;
  }

  /** The request was not worth its work. */
  failed(): void {
    if (this.#bodyPoints === 0) return;
    this.#spend(this.#bodyPoints * BAD_BODY_FACTOR);
    this.#bodyPoints = 0;
  }

  /** For the stream that it becomes. */
  get meter(): ReplayBudget | undefined {
    return this.#username === undefined
      ? undefined
      : createReplayBudget(this.#context.accounts, this.#username, this.#budgets);
  }

  /** It was answered with a fault of the caller's. */
  inVain(points: number): void {
    for (const budget of this.#budgets) budget.spend(points);
  }

  answered(bytes: number): void {
    if (bytes >= ANSWER_BYTES) this.#spend(Math.floor(bytes / ANSWER_BYTES));
  }

  /** Takes the price, and the places; undefined when there is no need to wait for them. Others may have used up the budget. */
  enter({ points, places, isToAll }: Omit<Price, 'answerKiB'>): Promise<void> | undefined {
    if (!this.hasTicket) this.#checkBudgets(performance.now());
    const fanOut = isToAll ? (this.#bodyPoints * BODY_BYTES * this.#context.audience()) / FAN_OUT_BYTES : 0;
    this.#spend(points + Math.floor(fanOut));
    this.#places = places;
    this.#isWorking = true;
    this.connection.refusals = 0;
    if (this.#advance()) return undefined;
    const turn = new Promise<void>((resolve, reject) => {
      this.#refuse = reject;
      this.#standInLine(resolve);
    });
    return this.hasTicket
      ? turn
      : turn.then(() => this.#checkBudgets(performance.now(), points + Math.floor(fanOut)));
  }

  /** The work has ended, whatever became of it. */
  done(): void {
    this.#isWorking = false;
    if (!this.#isLeaving || this.isStream) this.#leaveGates();
  }

  /** The answer has left, or never will. */
  left(): void {
    if (!this.#isLeaving) return;
    this.#isLeaving = false;
    this.connection.end(this);
    if (this.isCounted)
      this.#context.uncount(this.#budgets, this.isStream ? this.connection.socket : undefined);
    if (!this.#isWorking) this.#leaveGates();
  }

  /** What is left of it is the stream on its connection. */
  letGo(): void {
    this.#context.streaming(this.connection);
  }

  gone(): void {
    this.stop(GONE);
    this.left();
  }

  /** Nobody waits for the answer any more. */
  stop(reason: Problem): void {
    if (this.#stopped) return;
    this.#stopped = reason;
    this.#controller?.abort(reason);
    if (!this.#waiting) return;
    this.#semaphore(this.#passed)!.unline(this.#waiting);
    this.#waiting = undefined;
    this.#refuse!(reason);
  }

  problem(reason: Reason, retryAfterMs = IN_FLIGHT_RETRY_MS): Problem {
    this.isRefused = true;
    this.connection.refusals += 1;
    this.#context.refused(reason, this.networks[0]?.key ?? 'unknown');
    return problemOf(reason, retryAfterMs);
  }

  /** Throws if there is nothing left; `own`: what this request took itself, beside its body. */
  #checkBudgets(nowMs: number, own = 0): void {
    const spent = own + this.#bodyPoints;
    let waitMs = this.#account?.waitMs(nowMs, spent) ?? 0;
    for (const budget of this.#budgets) waitMs = Math.max(waitMs, budget.waitMs(nowMs, spent + ENTRY_POINTS));
    if (waitMs > 0) throw this.problem('budget', waitMs);
  }

  #spend(points: number): void {
    this.#account?.spend(points);
    for (const budget of this.#budgets) budget.spend(points);
  }

  #semaphore(index: number): Semaphore | undefined {
    if (index === 0) return this.connection.semaphore;
    if (index === 1) return this.#account?.semaphore;
    const budget = this.#budgets[index - 2]!;
    return this.#account ? budget.semaphore : budget.openGate;
  }

  /** True when all gates are passed. */
  #advance(): boolean {
    for (; this.#passed < this.#budgets.length + 2; this.#passed += 1) {
      const semaphore = this.#semaphore(this.#passed);
      if (semaphore && !semaphore.enter(this.#placesAt(this.#passed))) return false;
    }
    return true;
  }

  #placesAt(index: number): number {
    return index === 0 ? 1 : this.#places;
  }

  #standInLine(resolve: () => void): void {
    const waiting = {
      places: this.#placesAt(this.#passed),
      go: () => {
        this.#waiting = undefined;
        this.#passed += 1;
        if (this.#advance()) resolve();
        else this.#standInLine(resolve);
      },
    };
    this.#waiting = waiting;
    if (this.#semaphore(this.#passed)!.line(waiting)) return;
    this.#waiting = undefined;
    this.#refuse!(this.problem('in_flight'));
  }

  #leaveGates(): void {
    for (let index = 0; index < this.#passed; index += 1)
      this.#semaphore(index)?.leave(this.#placesAt(index));
    this.#passed = 0;
  }
}
