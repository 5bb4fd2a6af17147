/** An attack: its preparation, the load it generates from a separate process, and the checks during and after it. */
import type { Client } from './client.ts';
import type { Person, Stage } from './stage.ts';

/** The input of the attacking process, passed to it as JSON. */
export type Seed = { people: Person[]; friend?: Person; [key: string]: unknown };

export type AttackContext = {
  base: string;
  seed: Seed;
  /** A client in the attacker's network, or in another one if a number is given. */
  client(network?: number, maxSockets?: number): Client;
  isOver(): boolean;
};

export type Attack = {
  name: string;
  /** A one-line description. */
  what: string;
  /** Settings of the node under attack, if they differ from the defaults. */
  env?: NodeJS.ProcessEnv;
  helperEnv?: NodeJS.ProcessEnv;
  /** The bound for the bystanders' p99, as a multiple of quiet, of an attack that no limit per network can bound. */
  maxRatio?: number;
  /** The open file limit of the node under attack. Default: the limit of this machine. */
  openFiles?: number;
  prepare(stage: Stage): Promise<Seed>;
  /** Runs until `isOver()` and returns a short summary. */
  run(context: AttackContext): Promise<string>;
  /** Runs during the attack; returns the violations it found. */
  during?(stage: Stage, seed: Seed): Promise<string[]>;
  /** Runs after the attack; returns the violations it found. */
  after?(stage: Stage, seed: Seed): Promise<string[]>;
};

/** 4,000 emoji: the largest message, 16 KB. */
export const BIG = '😀'.repeat(4_000);

/** Repeats `work` in the given number of workers until the attack is over; returns the number of calls per status. */
export async function loop(
  { isOver }: AttackContext,
  workers: number,
  work: (index: number) => Promise<number | string>,
): Promise<string> {
  const counts: Record<string, number> = {};
  await Promise.all(
    Array.from({ length: workers }, async (_, index) => {
      while (!isOver()) {
        const status = await work(index);
        counts[status] = (counts[status] ?? 0) + 1;
      }
    }),
  );
  return Object.entries(counts)
    .map(([status, count]) => `${count} × ${status}`)
    .join(', ');
}

/** Sends `count` messages through the helper node, 32 at a time. */
export async function sendMany(
  stage: Stage,
  count: number,
  path: string,
  token: string,
  text: string,
): Promise<void> {
  let sent = 0;
  await Promise.all(
    Array.from({ length: 32 }, async () => {
      while (sent < count) {
        sent += 1;
        const { status } = await stage.helper.call('POST', path, { token, body: { text } });
        if (status !== 201) throw new Error(`preparation failed: POST ${path} returned ${status}`);
      }
    }),
  );
}
