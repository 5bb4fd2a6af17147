/** Use per key, with exponential decay. */

/** Recorded use decays by half in this time. */
const HALF_LIFE_MS = 30_000;
/** Maximum number of keys; the least recently used are forgotten. */
const MAX_KEYS = 8_192;

export class RecentUse {
  readonly #nowMs: () => number;
  /** In order of last use. */
  readonly #records = new Map<string, { amount: number; atMs: number }>();

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  of(key: string): number {
    const record = this.#records.get(key);
    return record ? record.amount * 2 ** ((record.atMs - this.#nowMs()) / HALF_LIFE_MS) : 0;
  }

  /** Adds one use to each key. */
  add(keys: string[]): void {
    for (const key of keys) {
      const amount = this.of(key) + 1;
      this.#records.delete(key); // moves the key to the end
      this.#records.set(key, { amount, atMs: this.#nowMs() });
    }
    for (const oldest of this.#records.keys()) {
      if (this.#records.size <= MAX_KEYS) return;
      this.#records.delete(oldest);
    }
  }
}
