/**
 * Worker threads for bcrypt. They are separate from the libuv pool, which also serves files and DNS, and have a lower
 * priority where the platform supports it, so that the event loop and Redis run first. A thread is started when all others
 * are busy; the password queue limits their number. A thread that exits is replaced by the next job.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

const LOWEST_COST = 4;

type Job = { password: string; hash: string } | { password: string; cost: number };
type Thread = { worker: Worker; exited: AbortSignal };

export type PasswordThreads = ReturnType<typeof createPasswordThreads>;

export function createPasswordThreads(file = new URL('./password-thread.mjs', import.meta.url)) {
  const idle: Thread[] = [];

  function start(): Thread {
    const worker = new Worker(file, { execArgv: [] });
    const exit = new AbortController();
    const thread = { worker, exited: exit.signal };
    worker.unref(); // an idle thread must not keep the process alive
    worker.on('error', () => {}); // `run` rejects, because `once` does
    worker.on('exit', () => {
      exit.abort();
      if (idle.includes(thread)) idle.splice(idle.indexOf(thread), 1);
    });
    return thread;
  }

  /** Rejects if the thread exits before it replies. The next job uses another thread. */
  async function run(job: Job): Promise<unknown> {
    const thread = idle.pop() ?? start();
    thread.worker.postMessage(job);
    const [result] = await once(thread.worker, 'message', { signal: thread.exited });
    idle.push(thread);
    return result;
  }

  return {
    /** Starts `count` threads and loads their modules now, because an upgrade may replace the files of a running node. */
    async start(count: number): Promise<void> {
      await Promise.all(Array.from({ length: count }, () => run({ password: '', cost: LOWEST_COST })));
    },
    hash: async (password: string, cost: number) => (await run({ password, cost })) as string,
    compare: async (password: string, hash: string) => (await run({ password, hash })) as boolean,
  };
}
