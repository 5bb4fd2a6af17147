/** Time and randomness as a parameter, so that tests can control them; and a way to combine abort signals. */

/** The client's source of time and randomness. Replace parts of it in tests. */
export type Clock = {
  /** Milliseconds since the epoch. */
  now(): number;
  /** A number from 0 (inclusive) to 1 (exclusive). */
  random(): number;
  /** Resolves after `ms` milliseconds, or as soon as `signal` aborts. Never rejects. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
};

export const realClock: Clock = {
  now: () => Date.now(),
  random: () => Math.random(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal.addEventListener('abort', done);
    }),
};

/** Between half and all of `ms`, so that many clients do not retry at the same moment. */
export const jittered = (ms: number, { random }: Clock): number => Math.round(ms * (0.5 + random() / 2));

export type Link = AbortController & { release(): void };

/**
 * Returns a controller that aborts when one of the signals aborts, until it is released. `AbortSignal.any` will not do:
 * its signals stay in memory as long as their sources, and a session's signal lives long.
 */
export function linkTo(...signals: (AbortSignal | undefined)[]): Link {
  const controller = new AbortController();
  const removers = signals.flatMap((signal) => {
    if (!signal) return [];
    const follow = () => controller.abort(signal.reason);
    if (signal.aborted) follow();
    signal.addEventListener('abort', follow);
    return [() => signal.removeEventListener('abort', follow)];
  });
  return Object.assign(controller, {
    release: () => {
      for (const remove of removers) remove();
    },
  });
}
