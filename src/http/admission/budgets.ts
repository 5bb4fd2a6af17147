/**
 * The budgets of accounts and networks: each has a token bucket that refills over time, and a semaphore for its requests
 * in flight. They are kept in the memory of this node, in bounded number: a budget with a full bucket and nothing in
 * flight holds no information, so it is forgotten.
 */
import type { RateLimit } from '../../rate-limit-setting.ts';
import { Semaphore } from './semaphore.ts';

export type BudgetLimits = { budget: RateLimit; inFlight: number };

/** How many requests may wait, as a multiple of those that may be in flight. */
const QUEUE_FACTOR = 4;
/** Requests without a token may take a quarter of a network's places; the rest is reserved for those with a token. */
const PUBLIC_SHARE = 4;

/** Replays leave a quarter of the bucket to requests. */
const RESERVED_SHARE = 4;
/** The pause after a rejection slows down clients that retry immediately, and a network to 200 rejections per second. */
const PAUSE_MS = 250;
const PAUSE_GAP_MS = 5;
const MAX_PAUSE_MS = 5_000;

export class Budget {
  /** For operations with an authenticated account. */
  readonly semaphore: Semaphore;
  /** Of a network: for pages and public operations. */
  readonly publicSemaphore: Semaphore;
  connections = 0;
  readonly factor: number;
  readonly #max: number;
  readonly #perMs: number;
  #points: number;
  #atMs: number;
  #pausedUntilMs = 0;

  constructor({ budget, inFlight }: BudgetLimits, factor: number, nowMs: number) {
    this.factor = factor;
    const places = inFlight * factor;
    this.semaphore = new Semaphore(places, places * QUEUE_FACTOR);
    const publicPlaces = Math.ceil(places / PUBLIC_SHARE);
    this.publicSemaphore = new Semaphore(publicPlaces, publicPlaces * QUEUE_FACTOR);
    this.#max = budget.max * factor;
    this.#perMs = this.#max / budget.windowMs;
    this.#points = this.#max;
    this.#atMs = nowMs;
  }

  /**
   * The time until the next request is admitted, or 0. The bucket may become negative, and must refill first.
   * `spent`: points that the request itself has already taken, which do not count against it.
   */
  waitMs(nowMs: number, spent = 0): number {
    if (this.#max === 0) return 0;
    this.#refill(nowMs);
    return this.#points + spent > 0 ? 0 : (1 - this.#points) / this.#perMs;
  }

  /** The time until a replay may continue: it leaves a share of the bucket to requests. */
  spareMs(nowMs: number): number {
    if (this.#max === 0) return 0;
    this.#refill(nowMs);
    return Math.max(0, (this.#max / RESERVED_SHARE - this.#points) / this.#perMs);
  }

  /** The pause after one more rejection: the more rejections, the longer each pause. */
  nextPauseMs(nowMs: number): number {
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, nowMs) + PAUSE_GAP_MS;
    return Math.min(Math.max(this.#pausedUntilMs - nowMs, PAUSE_MS), MAX_PAUSE_MS);
  }

  spend(points: number): void {
    this.#points -= points;
  }

  /** Whether new connections must wait too, because of the recent rejections. */
  isFlooding(nowMs: number): boolean {
    return this.#pausedUntilMs > nowMs + PAUSE_MS;
  }

  /** 1 when the bucket is full, negative when it is overdrawn. */
  fullness(nowMs: number): number {
    if (this.#max === 0) return 1;
    this.#refill(nowMs);
    return this.#points / this.#max;
  }

  /** While it is in use it must not be forgotten. */
  get isInUse(): boolean {
    return this.connections > 0 || !this.semaphore.isIdle || !this.publicSemaphore.isIdle;
  }

  #refill(nowMs: number): void {
    this.#points = Math.min(this.#max, this.#points + (nowMs - this.#atMs) * this.#perMs);
    this.#atMs = nowMs;
  }
}

/** Of this many of the oldest budgets, the one with the fullest bucket is evicted. */
const EVICTION_CANDIDATES = 8;

export class Budgets {
  readonly #limits: BudgetLimits;
  readonly #maxRemembered: number;
  readonly #budgets = new Map<string, Budget>();

  /** `maxRemembered`: how many are kept, in addition to those in use. */
  constructor(limits: BudgetLimits, maxRemembered: number) {
    this.#limits = limits;
    this.#maxRemembered = maxRemembered;
  }

  get size(): number {
    return this.#budgets.size;
  }

  of(key: string, factor: number, nowMs: number): Budget {
    let budget = this.#budgets.get(key);
    if (budget) return budget;
    if (this.#budgets.size >= this.#maxRemembered) this.#evictOne(nowMs);
    budget = new Budget(this.#limits, factor, nowMs);
    this.#budgets.set(key, budget);
    return budget;
  }

  /** Forgets budgets that are full and not in use. */
  forgetIdle(nowMs: number): void {
    for (const [key, budget] of this.#budgets)
      if (!budget.isInUse && budget.fullness(nowMs) >= 1) this.#budgets.delete(key);
  }

  /** Moves the other candidates to the end, so that the biggest spenders stay, even in a flood of new keys. */
  #evictOne(nowMs: number): void {
    const oldest: [string, Budget][] = [];
    for (const entry of this.#budgets) if (oldest.push(entry) === EVICTION_CANDIDATES) break;
    let fullest: string | undefined;
    let max = Number.NEGATIVE_INFINITY;
    for (const [key, budget] of oldest) {
      this.#budgets.delete(key);
      this.#budgets.set(key, budget);
      if (budget.isInUse || budget.fullness(nowMs) <= max) continue;
      max = budget.fullness(nowMs);
      fullest = key;
    }
    if (fullest !== undefined) this.#budgets.delete(fullest);
  }
}
