/** One attack, tried: bystanders while the stub takes the load, then while the node does, and what broke. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Attack, Seed } from './attack.ts';
import { type Watched, watch } from './bystander.ts';
import { openStage, type Stage } from './stage.ts';

/** What docs/security.md promises. */
export const PROMISED = { ratio: 5, memoryMiB: 64 };
const BYSTANDERS = 5;
const BEGIN_MS = 500;
const SAMPLE_MS = 200;
const WELL_AGAIN_MS = 2_000;

export type Trial = {
  attack: string;
  what: string;
  quiet: Watched;
  attacked: Watched;
  ratio: number;
  /** How much more resident memory the node had at its worst than before. */
  memoryMiB: number;
  did: string;
  /** The same against the stub: how much load "quiet" carried. */
  didQuietly: string;
  /** Broken promises other than the two of PROMISED, which depend on the machine. */
  broken: string[];
};

export async function tryAttack(attack: Attack, options: { dist: string; seconds: number }): Promise<Trial> {
  const stage = await openStage({ ...attack, dist: options.dist });
  try {
    const bystanders = await stage.people(BYSTANDERS, 'bystander');
    const seed = await attack.prepare(stage);
    await watch(stage.url, bystanders, after(1_500)); // warm
    const quietly = launchAttacker(attack.name, stage.stubUrl, options.seconds, seed);
    await sleep(BEGIN_MS);
    const quiet = await watch(stage.url, bystanders, after(options.seconds * 1_000 - BEGIN_MS));
    const didQuietly = await quietly;

    const memory = watchMemory(stage);
    const attacking = launchAttacker(attack.name, stage.url, options.seconds, seed);
    await sleep(BEGIN_MS);
    const [attacked, broken] = await Promise.all([
      watch(stage.url, bystanders, after(options.seconds * 1_000 - BEGIN_MS)),
      attack.beside?.(stage, seed) ?? Promise.resolve<string[]>([]),
    ]);
    const did = await attacking;
    const afterwards = await watch(stage.url, bystanders, after(WELL_AGAIN_MS));
    const memoryMiB = memory.stop();
    broken.push(...((await attack.after?.(stage, seed)) ?? []));
    for (const [when, { failed }] of Object.entries({ quiet, attacked, afterwards }))
      if (Object.keys(failed).length > 0) broken.push(`bystanders, ${when}: ${JSON.stringify(failed)}`);
    broken.push(...faultsOf(stage));
    const ratio = attacked.p99 / quiet.p99;
    return {
      attack: attack.name,
      what: attack.what,
      quiet,
      attacked,
      ratio,
      memoryMiB,
      did,
      didQuietly,
      broken,
    };
  } finally {
    await stage.end();
  }
}

const after = (ms: number) => {
  const end = performance.now() + ms;
  return () => end;
};

async function launchAttacker(name: string, base: string, seconds: number, seed: Seed): Promise<string> {
  const file = fileURLToPath(new URL('attacker.ts', import.meta.url));
  const child = spawn(
    process.execPath,
    ['--import', import.meta.resolve('tsx'), file, name, base, String(seconds)],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  child.stdin.on('error', () => {}).end(JSON.stringify(seed));
  const kill = setTimeout(() => child.kill('SIGKILL'), (seconds + 30) * 1_000);
  const exited = once(child, 'exit');
  const said = await text(child.stdout);
  const [code] = await exited;
  clearTimeout(kill);
  if (code !== 0) throw new Error(`the attack ${name} ended with ${code}`);
  return said.trim();
}

function watchMemory(stage: Stage) {
  const before = stage.memory();
  let most = before;
  const timer = setInterval(() => {
    if (stage.node.isAlive()) most = Math.max(most, stage.memory());
  }, SAMPLE_MS);
  return {
    stop(): number {
      clearInterval(timer);
      return Math.round(most - before);
    },
  };
}

function faultsOf({ node }: Stage): string[] {
  const faults: string[] = [];
  if (!node.isAlive()) faults.push(`the node ended: ${node.said().slice(-500)}`);
  const bug = /.*"level":"error".*/.exec(node.said())?.[0];
  if (bug) faults.push(`the node logged an error: ${bug.slice(0, 500)}`);
  return faults;
}
