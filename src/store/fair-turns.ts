/** Limits concurrency. Waiting callers are served round-robin by name, and can abort while they wait. */
export type FairTurns = ReturnType<typeof createFairTurns>;

export function createFairTurns(limit: number) {
  let free = limit;
  /** Waiting callers by name, in the order of their next turns. */
  const waiting = new Map<string, (() => void)[]>();

  function release(): void {
    const [next] = waiting;
    if (!next) {
      free += 1;
      return;
    }
    const [name, queue] = next;
    const start = queue.shift()!;
    waiting.delete(name);
    if (queue.length > 0) waiting.set(name, queue); // behind all others
    start();
  }

  function cancel(name: string, start: () => void): void {
    const queue = waiting.get(name)?.filter((each) => each !== start) ?? [];
    if (queue.length > 0) waiting.set(name, queue);
    else waiting.delete(name);
  }

  function wait(name: string, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const start = () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      };
      const onAbort = () => {
        cancel(name, start);
        reject(signal?.reason);
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      const queue = waiting.get(name);
      if (queue) queue.push(start);
      else waiting.set(name, [start]);
    });
  }

  return {
    /** Run `work` when it is the turn of `name`. Rejects with the signal's reason if the caller aborts before that. */
    async run<T>(name: string, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
      signal?.throwIfAborted();
      if (free > 0) free -= 1;
      else await wait(name, signal);
      try {
        return await work();
      } finally {
        release();
      }
    },
  };
}
