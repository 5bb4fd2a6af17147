/** All chance in a run comes from here, so that a seed says what was done. (When it was done, the machine says.) */
export type Random = {
  /** From 0 up to 1. */
  share(): number;
  /** A whole number, both ends included. */
  between(low: number, high: number): number;
  pick<T>(all: readonly T[]): T;
  /** So many of them, each at most once. */
  some<T>(all: readonly T[], count: number): T[];
  /** Chance of its own that goes on from here: what one part draws does not change what another draws. */
  fork(): Random;
};

/** Mulberry32 (Tommy Ettinger): 32 bits of state are plenty for a script of faults. */
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
