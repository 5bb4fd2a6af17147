/**
 * Whose use is measured: an account or a network. Each has a bucket of points that fills up with time, and a gate for
 * what it has in flight. In the memory of this node, and not without end: who has a full bucket and nothing open is as
 * good as unknown and is forgotten.
 */
import type { Limit } from '../../store/log/log-store.ts';
import { Semaphore } from './semaphore.ts';

export type BudgetLimits = { budget: Limit; inFlight: number };

/** How many may wait, as a multiple of what may be in flight. */
const WAITING_FACTOR = 4;
/** Of a network's places those that callers without a token can take: the others are for those with one. */
const OPEN_SHARE = 4;

const KEPT_SHARE = 4;
/** What was refused rests: a client that asks on at once is slowed, and all of a network together to 200 in a second. */
const REST_MS = 250;
const REST_GAP_MS = 5;
const LONGEST_REST_MS = 5_000;

export class Budget {
  /** Of operations that were admitted for an account. */
  readonly semaphore: Semaphore;
  /** Of a network: pages, and operations that need no token. */
  readonly openGate: Semaphore;
  connections = 0;
  readonly factor: number;
  readonly #max: number;
  readonly #perMs: number;
  #points: number;
  #atMs: number;
  #restedMs = 0;

  constructor({ budget, inFlight }: BudgetLimits, factor: number, nowMs: number) {
    this.factor = factor;
    const places = inFlight * factor;
    this.semaphore = new Semaphore(places, places * WAITING_FACTOR);
    const open = Math.ceil(places / OPEN_SHARE);
    this.openGate = new Semaphore(open, open * WAITING_FACTOR);
    this.#max = budget.max * factor;
    this.#perMs = this.#max / budget.windowMs;
    this.#points = this.#max;
    this.#atMs = nowMs;
  }

  /**
   * How long to wait until something may be spent; 0: go ahead. The bucket may go below zero, and must come back.
   * `spent`: what who asks has taken from it already.
   */
  waitMs(nowMs: number, spent = 0): number {
    if (this.#max === 0) return 0;
    this.#refill(nowMs);
    return this.#points + spent > 0 ? 0 : (1 - this.#points) / this.#perMs;
  }

  /** How long to wait until what is in no hurry may spend: it leaves a share of the bucket to what is. */
  spareMs(nowMs: number): number {
    if (this.#max === 0) return 0;
    this.#refill(nowMs);
    return Math.max(0, (this.#max / KEPT_SHARE - this.#points) / this.#perMs);
  }

  /** How long one that was refused must rest: the more are refused, the longer each. */
  restMs(nowMs: number): number {
    this.#restedMs = Math.max(this.#restedMs, nowMs) + REST_GAP_MS;
    return Math.min(Math.max(this.#restedMs - nowMs, REST_MS), LONGEST_REST_MS);
  }

  spend(points: number): void {
    this.#points -= points;
  }

  /** Whether so many requests were refused lately that new connections must wait too. */
  isFlooding(nowMs: number): boolean {
    return this.#restedMs > nowMs + REST_MS;
  }

  /** How full the bucket is: 1 is full, and below 0 there is nothing. */
  fullness(nowMs: number): number {
    if (this.#max === 0) return 1;
    this.#refill(nowMs);
    return this.#points / this.#max;
  }

  /** Whether somebody counts on it: it must not be forgotten. */
  get isInUse(): boolean {
    return this.connections > 0 || !this.semaphore.isIdle || !this.openGate.isIdle;
  }

  #refill(nowMs: number): void {
    this.#points = Math.min(this.#max, this.#points + (nowMs - this.#atMs) * this.#perMs);
    this.#atMs = nowMs;
  }
}

/** Among so many that came first, the one whose bucket is the fullest makes room for a newcomer. */
const CANDIDATES = 8;

export class Budgets {
  readonly #limits: BudgetLimits;
  readonly #most: number;
  readonly #known = new Map<string, Budget>();

  /** `most`: how many are remembered, beside those that are in use. */
  constructor(limits: BudgetLimits, most: number) {
    this.#limits = limits;
    this.#most = most;
  }

  get size(): number {
    return this.#known.size;
  }

  of(key: string, factor: number, nowMs: number): Budget {
    let budget = this.#known.get(key);
    if (budget) return budget;
    if (this.#known.size >= this.#most) this.#makeRoom(nowMs);
    budget = new Budget(this.#limits, factor, nowMs);
    this.#known.set(key, budget);
    return budget;
  }

  /** Forget all who are as good as unknown. */
  sweep(nowMs: number): void {
    for (const [key, budget] of this.#known)
      if (!budget.isInUse && budget.fullness(nowMs) >= 1) this.#known.delete(key);
  }

  /** The others that were looked at go to the end: who has spent most stays, however many newcomers there are. */
  #makeRoom(nowMs: number): void {
    const oldest: [string, Budget][] = [];
    for (const entry of this.#known) if (oldest.push(entry) === CANDIDATES) break;
    let fullest: string | undefined;
    let most = Number.NEGATIVE_INFINITY;
    for (const [key, budget] of oldest) {
      this.#known.delete(key);
      this.#known.set(key, budget);
      if (budget.isInUse || budget.fullness(nowMs) <= most) continue;
      most = budget.fullness(nowMs);
      fullest = key;
    }
    if (fullest !== undefined) this.#known.delete(fullest);
  }
}
