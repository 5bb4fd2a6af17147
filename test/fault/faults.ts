/** All faults by name, their mixture, and the loop that injects them at times derived from the seed. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault } from './fault.ts';
import { NETWORK_FAULTS } from './network-faults.ts';
import { NODE_FAULTS } from './node-faults.ts';
import type { Random } from './random.ts';
import { REDIS_FAULTS } from './redis-faults.ts';
import type { World } from './world.ts';

const GROUPS: Record<string, Fault>[] = [NODE_FAULTS, REDIS_FAULTS, NETWORK_FAULTS];
const FAULTS: Record<string, Fault> = Object.assign({}, ...GROUPS);

/** Up to two at a time, from different groups, so that two faults never restart the same process. */
const MIXED: Fault = {
  what: 'all faults that may cost nothing, one or two at a time',
  inject: async (world, random, wait) => {
    const chosen = random
      .some(GROUPS, random.between(1, 2))
      .map((group) => random.pick(Object.entries(group).filter(([, fault]) => !fault.isAlone)));
    await Promise.all(
      chosen.map(async ([name, fault]) => {
        const injection = { name, fromMs: world.now(), toMs: Number.POSITIVE_INFINITY };
        world.mixed.push(injection);
        await fault.inject(world, random, wait);
        injection.toMs = world.now();
      }),
    );
  },
  pauseMs: [500, 3_000],
};

export const faultOf = (name: string): Fault | undefined => (name === 'mixed' ? MIXED : FAULTS[name]);
export const FAULT_NAMES: string[] = [...Object.keys(FAULTS), 'mixed'];

/** Injects the fault until the time is over. An injection that has begun is completed, but its waits are cut short. */
export async function act(fault: Fault, world: World, random: Random, signal: AbortSignal): Promise<number> {
  const wait = (ms: number) => sleep(ms, undefined, { signal }).catch(() => {});
  let injections = 0;
  for (;;) {
    await wait(random.between(...fault.pauseMs));
    if (signal.aborted) return injections;
    await fault.inject(world, random, wait);
    injections += 1;
  }
}
