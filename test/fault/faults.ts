/** All faults by name, the mixture of them, and how they act: again and again, at moments that come from the seed. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault } from './fault.ts';
import { NETWORK_FAULTS } from './network-faults.ts';
import { NODE_FAULTS } from './node-faults.ts';
import type { Random } from './random.ts';
import { REDIS_FAULTS } from './redis-faults.ts';
import type { World } from './world.ts';

const GROUPS: Record<string, Fault>[] = [NODE_FAULTS, REDIS_FAULTS, NETWORK_FAULTS];
const FAULTS: Record<string, Fault> = Object.assign({}, ...GROUPS);

/** Two at once, of different groups: so nobody starts what another is starting. */
const MIXED: Fault = {
  what: 'all of these that may cost nothing, one after the other and two at once',
  strike: async (world, random, wait) => {
    const chosen = random
      .some(GROUPS, random.between(1, 2))
      .map((group) => random.pick(Object.entries(group).filter(([, fault]) => !fault.isAlone)));
    await Promise.all(
      chosen.map(async ([name, fault]) => {
        const blow = { name, fromMs: world.now(), toMs: Number.POSITIVE_INFINITY };
        world.mixed.push(blow);
        await fault.strike(world, random, wait);
        blow.toMs = world.now();
      }),
    );
  },
  pauseMs: [500, 3_000],
};

export const faultOf = (name: string): Fault | undefined => (name === 'mixed' ? MIXED : FAULTS[name]);
export const FAULT_NAMES: string[] = [...Object.keys(FAULTS), 'mixed'];

/** Strikes until the time is over. A blow that has begun is carried through, but its waits are cut short. */
export async function act(fault: Fault, world: World, random: Random, signal: AbortSignal): Promise<number> {
  const wait = (ms: number) => sleep(ms, undefined, { signal }).catch(() => {});
  let blows = 0;
  for (;;) {
    await wait(random.between(...fault.pauseMs));
    if (signal.aborted) return blows;
    await fault.strike(world, random, wait);
    blows += 1;
  }
}
