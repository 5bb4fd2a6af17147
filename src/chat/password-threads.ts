/**
 * The threads that bcrypt runs on. They are not libuv's, which serve files and DNS as well, and they have a lower priority
 * where a thread can have one, so that the event loop and Redis go first. A thread is started when all others are busy;
 * how many checks run at once is for the queue to say. One that ends is replaced, but not once its files are gone.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

const CHEAPEST = 4;

type Job = { password: string; hash: string } | { password: string; cost: number };
type Thread = { worker: Worker; ended: AbortSignal };

export type PasswordThreads = ReturnType<typeof createPasswordThreads>;

export function createPasswordThreads(file = new URL('./password-thread.mjs', import.meta.url)) {
  const idle: Thread[] = [];

  function start(): Thread {
    const worker = new Worker(file, { execArgv: [] });
    const ending = new AbortController();
    const thread = { worker, ended: ending.signal };
    worker.unref(); // the process may end while it waits for work
    worker.on('error', () => {}); // `once` rejects for the caller
    worker.on('exit', () => {
      ending.abort();
      if (idle.includes(thread)) idle.splice(idle.indexOf(thread), 1);
    });
    return thread;
  }

  /** Rejects when the thread ends before it answers. The next job gets another one. */
  async function run(job: Job): Promise<unknown> {
    const thread = idle.pop() ?? start();
    thread.worker.postMessage(job);
    const [answer] = await once(thread.worker, 'message', { signal: thread.ended });
    idle.push(thread);
    return answer;
  }

  return {
    /** So many threads, all that they need loaded: an upgrade may replace the files under a node that runs. */
    async start(count: number): Promise<void> {
      await Promise.all(Array.from({ length: count }, () => run({ password: '', cost: CHEAPEST })));
    },
    hash: async (password: string, cost: number) => (await run({ password, cost })) as string,
    compare: async (password: string, hash: string) => (await run({ password, hash })) as boolean,
  };
}

/** Shared by all that check passwords in this process. */
export const passwordThreads = createPasswordThreads();
