/** Time and chance, as arguments, so that a test can hold them; and signals that are put together. */

export type Clock = {
  /** Epoch milliseconds. */
  now(): number;
  /** 0 ≤ x < 1. */
  random(): number;
  /** Resolves after so long, or at once when the signal aborts. Never rejects. */
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

/** Half of it for certain, the other half by chance: a crowd spreads out. */
export const jittered = (ms: number, { random }: Clock): number => Math.round(ms * (0.5 + random() / 2));

export type Link = AbortController & { release(): void };

/**
 * A controller that aborts when one of the signals does, until it is released. (AbortSignal.any keeps every signal it
 * made for as long as its sources live, which for a session is long.)
 */
export function linkTo(...signals: (AbortSignal | undefined)[]): Link {
  const controller = new AbortController();
  const listening = signals.flatMap((signal) => {
    if (!signal) return [];
    const follow = () => controller.abort(signal.reason);
    if (signal.aborted) follow();
    signal.addEventListener('abort', follow);
    return [() => signal.removeEventListener('abort', follow)];
  });
  return Object.assign(controller, {
    release: () => {
      for (const forget of listening) forget();
    },
  });
}
