/** Statistics: median and spread of runs, and latencies as counts per tenth of a millisecond. Pure. */

export type Summary = { median: number; min: number; max: number; runs: number };

export function summary(values: number[]): Summary {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  const median = sorted.length % 2 ? upper : (sorted[middle - 1]! + upper) / 2;
  return { median, min: sorted[0] ?? Number.NaN, max: sorted.at(-1) ?? Number.NaN, runs: values.length };
}

/** The value below which `share` of the values lie. NaN for an empty list. */
export function quantile(values: number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

/** The slope of y over x by least squares. */
export function slope(points: [x: number, y: number][]): number {
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [meanX, meanY] = [mean(points.map(([x]) => x)), mean(points.map(([, y]) => y))];
  const sum = (of: (x: number, y: number) => number) =>
    points.reduce((total, [x, y]) => total + of(x - meanX, y - meanY), 0);
  return sum((x, y) => x * y) / sum((x) => x * x);
}

/** `[slot, count]` for non-zero counts: small enough to send between processes. */
export type Counts = [slot: number, count: number][];

const SLOT_US = 100;
/** 10 s. Longer latencies are counted in the last slot. */
const SLOTS = 100_000;

/** A histogram of latencies with constant memory. */
export class Latencies {
  readonly #slots = new Uint32Array(SLOTS);

  add(micros: number): void {
    this.#slots[Math.min(SLOTS - 1, Math.max(0, Math.floor(micros / SLOT_US)))]! += 1;
  }

  counts(): Counts {
    const counts: Counts = [];
    for (const [slot, count] of this.#slots.entries()) if (count > 0) counts.push([slot, count]);
    return counts;
  }
}

/** In ms, the upper bound of the slot. NaN without counts. */
export function percentile(parts: Counts[], share: number): number {
  const counts = parts.flat().sort(([a], [b]) => a - b);
  let remaining = share * counts.reduce((sum, [, count]) => sum + count, 0);
  for (const [slot, count] of counts) {
    remaining -= count;
    if (remaining <= 0) return ((slot + 1) * SLOT_US) / 1_000;
  }
  return Number.NaN;
}

const offsetUs = Number(process.hrtime.bigint() / 1_000n) - performance.now() * 1_000;

/** Microseconds on the clock shared by all processes of the machine (CLOCK_MONOTONIC). */
export const clockUs = (): number => performance.now() * 1_000 + offsetUs;
