/**
 * The admission of one request: the budgets it is charged to, the semaphores it has entered, and the signal that aborts
 * its work. Its places are released when its work has ended and its response was sent.
 */
import type { ServerResponse } from 'node:http';
import type { Network } from '../../chat/model.ts';
import { Problem } from '../../chat/problems.ts';
import type { ReplayBudget } from '../../streams/stream.ts';
import type { AdmissionContext } from './admission-context.ts';
import type { Budget } from './budgets.ts';
import type { Connection, Exchange } from './connection.ts';
import {
  ANSWER_BYTES,
  BAD_BODY_FACTOR,
  BODY_BYTES,
  ENTRY_POINTS,
  FAN_OUT_BYTES,
  type Price,
} from './price-classes.ts';
import { IN_FLIGHT_RETRY_MS, problemOf, type Reason } from './rejections.ts';
import { createReplayBudget } from './replay-budget.ts';
import type { Semaphore, Waiter } from './semaphore.ts';

const DISCONNECTED = new Problem('unavailable', 'The client has disconnected.');

export class RequestAdmission implements Exchange {
  readonly res: ServerResponse;
  readonly startedAtMs: number;
  /** The networks of the client. */
  readonly networks: Network[];
  readonly connection: Connection;
  isStream = false;
  isRejected = false;
  /** Its ticket has been consumed, so it must not be rejected for lack of points any more. */
  hasTicket = false;
  /** A rejection by a network or the connection; the response is sent once the path is known. */
  rejection: Problem | undefined;
  /** Behind a proxy an open request counts as a connection. */
  isCounted = false;
  readonly #context: AdmissionContext;
  readonly #budgets: Budget[];
  #username: string | undefined;
  #account: Budget | undefined;
  #places = 0;
  #bodyPoints = 0;
  /** How many semaphores it has entered: of the connection, of the account, of each network, in this order. */
  #entered = 0;
  #isWorking = false;
  #isResponding = true;
  #waiter: Waiter | undefined;
  #rejectWaiting: ((problem: Problem) => void) | undefined;
  #abortReason: Problem | undefined;
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

  /** Aborted when the client disconnects or the request times out. Created on first use. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#abortReason) this.#controller.abort(this.#abortReason);
    return this.#controller.signal;
  }

  get isDisconnected(): boolean {
    return this.#abortReason === DISCONNECTED;
  }

  get isWaiting(): boolean {
    return this.#waiter !== undefined;
  }

  /** Charges the networks for a request, or returns the problem if one of them has no points left. */
  chargeEntry(): Problem | undefined {
    let waitMs = 0;
    for (const budget of this.#budgets) waitMs = Math.max(waitMs, budget.waitMs(this.startedAtMs));
    if (waitMs > 0) return this.reject('budget', waitMs);
    for (const budget of this.#budgets) budget.spend(ENTRY_POINTS);
    return undefined;
  }

  /** From now on the account is charged as well. */
  identify(username: string): void {
    this.#username = username;
    this.#account = this.#context.accounts.of(username, 1, this.startedAtMs);
    this.checkBudgets(this.startedAtMs);
  }

  /** Throws if a budget has no points left; `own`: the points that this request took itself, apart from its body. */
  checkBudgets(nowMs = performance.now(), own = 0): void {
    const spent = own + this.#bodyPoints;
    let waitMs = this.#account?.waitMs(nowMs, spent) ?? 0;
    for (const budget of this.#budgets) waitMs = Math.max(waitMs, budget.waitMs(nowMs, spent + ENTRY_POINTS));
    if (waitMs > 0) throw this.reject('budget', waitMs);
  }

  chargeBody(bytes: number): void {
    if (bytes < BODY_BYTES) return;
    this.#bodyPoints = Math.floor(bytes / BODY_BYTES);
    this.#spend(this.#bodyPoints);
  }

  /** The connection closed after this many bytes of the body: refunds the charge for the rest. */
  refundBody(bytes: number): void {
    const points = Math.min(this.#bodyPoints, Math.floor(bytes / BODY_BYTES));
    this.#spend(points - this.#bodyPoints);
    this.#bodyPoints = points;
  }

  /** An invalid body costs a multiple. */
  chargeInvalidBody(): void {
    if (this.#bodyPoints === 0) return;
    this.#spend(this.#bodyPoints * BAD_BODY_FACTOR);
    this.#bodyPoints = 0;
  }

  /** Charges the replay of the stream that the request becomes. */
  get meter(): ReplayBudget | undefined {
    return this.#username === undefined
      ? undefined
      : createReplayBudget(this.#context.accounts, this.#username, this.#budgets);
  }

  /** The response was a 4xx. */
  chargeFault(points: number): void {
    for (const budget of this.#budgets) budget.spend(points);
  }

  chargeResponse(bytes: number): void {
    if (bytes >= ANSWER_BYTES) this.#spend(Math.floor(bytes / ANSWER_BYTES));
  }

  /** Charges the price and takes the places; undefined if there is no need to wait. After a wait, checks budgets again. */
  enter({ points, places, isToAll }: Omit<Price, 'answerKiB'>, extraPoints = 0): Promise<void> | undefined {
    if (!this.hasTicket) this.checkBudgets();
    const streams = isToAll ? this.#context.streamCount() : 0;
    const cost = points + extraPoints + Math.floor((this.#bodyPoints * BODY_BYTES * streams) / FAN_OUT_BYTES);
    this.#spend(cost);
    this.#places = places;
    this.#isWorking = true;
    this.connection.rejections = 0;
    if (this.#advance()) return undefined;
    const turn = new Promise<void>((resolve, reject) => {
      this.#rejectWaiting = reject;
      this.#enqueue(resolve);
    });
    return this.hasTicket ? turn : turn.then(() => this.checkBudgets(performance.now(), cost));
  }

  /** The work has ended, successfully or not. */
  done(): void {
    this.#isWorking = false;
    if (!this.#isResponding || this.isStream) this.#releasePlaces();
  }

  /** The response was sent, or never will be. */
  responseEnded(): void {
    if (!this.#isResponding) return;
    this.#isResponding = false;
    this.connection.end(this);
    if (this.isCounted)
      this.#context.uncount(this.#budgets, this.isStream ? this.connection.socket : undefined);
    if (!this.#isWorking) this.#releasePlaces();
  }

  becomeStream(): void {
    this.#context.becomeStream(this.connection);
  }

  disconnected(): void {
    this.abort(DISCONNECTED);
    this.responseEnded();
  }

  /** Aborts the work, or rejects the request if it is still waiting. */
  abort(reason: Problem): void {
    if (this.#abortReason) return;
    this.#abortReason = reason;
    this.#controller?.abort(reason);
    if (!this.#waiter) return;
    this.#semaphore(this.#entered)!.remove(this.#waiter);
    this.#waiter = undefined;
    this.#rejectWaiting!(reason);
  }

  reject(reason: Reason, retryAfterMs = IN_FLIGHT_RETRY_MS): Problem {
    this.isRejected = true;
    this.connection.rejections += 1;
    this.#context.onReject(reason, this.networks[0]?.key ?? 'unknown');
    return problemOf(reason, retryAfterMs);
  }

  #spend(points: number): void {
    this.#account?.spend(points);
    for (const budget of this.#budgets) budget.spend(points);
  }

  #semaphore(index: number): Semaphore | undefined {
    if (index === 0) return this.connection.semaphore;
    if (index === 1) return this.#account?.semaphore;
    const budget = this.#budgets[index - 2]!;
    return this.#account ? budget.semaphore : budget.publicSemaphore;
  }

  /** Enters the remaining semaphores; false if it has to wait at one. */
  #advance(): boolean {
    for (; this.#entered < this.#budgets.length + 2; this.#entered += 1) {
      const semaphore = this.#semaphore(this.#entered);
      if (semaphore && !semaphore.enter(this.#placesAt(this.#entered))) return false;
    }
    return true;
  }

  #placesAt(index: number): number {
    return index === 0 ? 1 : this.#places;
  }

  #enqueue(resolve: () => void): void {
    const waiter = {
      places: this.#placesAt(this.#entered),
      onEnter: () => {
        this.#waiter = undefined;
        this.#entered += 1;
        if (this.#advance()) resolve();
        else this.#enqueue(resolve);
      },
    };
    this.#waiter = waiter;
    if (this.#semaphore(this.#entered)!.enqueue(waiter)) return;
    this.#waiter = undefined;
    this.#rejectWaiting!(this.reject('in_flight'));
  }

  #releasePlaces(): void {
    for (let index = 0; index < this.#entered; index += 1)
      this.#semaphore(index)?.leave(this.#placesAt(index));
    this.#entered = 0;
  }
}
