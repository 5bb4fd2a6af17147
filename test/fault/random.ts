/** The only source of randomness in a run, so that the seed determines what happens. (The machine determines when.) */
export type Random = {
  /** From 0 (inclusive) to 1 (exclusive). */
  share(): number;
  /** An integer, both bounds inclusive. */
  between(low: number, high: number): number;
  pick<T>(all: readonly T[]): T;
  /** Picks up to `count` items, each at most once. */
  some<T>(all: readonly T[], count: number): T[];
  /** An independent generator: values drawn from it do not affect other parts. */
  fork(): Random;
};

/** Mulberry32 (Tommy Ettinger): 32 bits of state are enough to schedule faults. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const share = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const between = (low: number, high: number): number => low + Math.floor(share() * (high - low + 1));
  return {
    share,
    between,
    pick: (all) => all[between(0, all.length - 1)]!,
    some: (all, count) => {
      const left = [...all];
      return Array.from({ length: Math.min(count, left.length) }, () =>
        left.splice(between(0, left.length - 1), 1),
      ).flat();
    },
    fork: () => createRandom(between(0, 2 ** 32 - 1)),
  };
}
