/** An attack: what it prepares, what it does from a process of its own, and what must be true afterwards. */
import type { Client } from './client.ts';
import type { Person, Stage } from './stage.ts';

/** What the attacking process needs to know; it crosses a process boundary as JSON. */
export type Seed = { people: Person[]; friend?: Person; [more: string]: unknown };

export type AttackContext = {
  base: string;
  seed: Seed;
  /** A client from the attacker's network; give another host part for another network. */
  client(network?: number, maxSockets?: number): Client;
  isOver(): boolean;
};

export type Attack = {
  name: string;
  /** One line for the table. */
  what: string;
  /** Settings of the node under attack, if the attack needs other than the defaults. */
  env?: NodeJS.ProcessEnv;
  helperEnv?: NodeJS.ProcessEnv;
  /** How many files the node under attack may have open; as the machine has it if left out. */
  openFiles?: number;
  prepare(stage: Stage): Promise<Seed>;
  /** Runs until `isOver`; answers what it did, in a few words. */
  run(context: AttackContext): Promise<string>;
  /** Called on the stage beside the attack; answers broken promises. */
  beside?(stage: Stage, seed: Seed): Promise<string[]>;
  /** Called when the attack is over; answers broken promises. */
  after?(stage: Stage, seed: Seed): Promise<string[]>;
};

/** 4,000 emoji: the largest message there is, 16 KB. */
export const BIG = '😀'.repeat(4_000);

/** So many workers repeat something until the attack is over; answers how often it was done, by status. */
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

/** Sends `count` messages through the node that prepares, 32 at a time. */
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
        if (status !== 201) throw new Error(`preparing ${path}: ${status}`);
      }
    }),
  );
}
