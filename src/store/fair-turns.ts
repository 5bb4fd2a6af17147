/** Limits concurrency. Waiting callers are served round-robin by name, and can abort while they wait. */
export type FairTurns = ReturnType<typeof createFairTurns>;

export function createFairTurns(atOnce: number) {
  let free = atOnce;
  /** Waiting callers by name, in the order of their next turns. */
  const waiting = new Map<string, (() => void)[]>();

  function release(): void {
    const [next] = waiting;
    if (!next) {
      free += 1;
      return;
    }
    const [who, line] = next;
    const go = line.shift()!;
    waiting.delete(who);
    if (line.length > 0) waiting.set(who, line); // behind all others
    go();
  }

  function leave(who: string, go: () => void): void {
    const line = waiting.get(who)?.filter((each) => each !== go) ?? [];
    if (line.length > 0) waiting.set(who, line);
    else waiting.delete(who);
  }

  function wait(who: string, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const go = () => {
        signal?.removeEventListener('abort', gone);
        resolve();
      };
      const gone = () => {
        leave(who, go);
        reject(signal?.reason);
      };
      signal?.addEventListener('abort', gone, { once: true });
      const line = waiting.get(who);
      if (line) line.push(go);
      else waiting.set(who, [go]);
    });
  }

  return {
    /** Run `work` when it is the turn of `who`. Rejects with the signal's reason if the caller aborts before that. */
    async run<T>(who: string, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
      signal?.throwIfAborted();
      if (free > 0) free -= 1;
      else await wait(who, signal);
      try {
        return await work();
      } finally {
        release();
      }
    },
  };
}
