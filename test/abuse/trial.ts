/** One trial of an attack: measures bystanders while the stub takes the load, then while the node does, and collects violations. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Attack, Seed } from './attack.ts';
import { type Measurement, watch } from './bystander.ts';
import { openStage, type Stage } from './stage.ts';

/** The guarantees in docs/explanation/security.md. */
export const GUARANTEED = { ratio: 5, memoryMiB: 64 };
const BYSTANDERS = 5;
const STARTUP_MS = 500;
const SAMPLE_MS = 200;
const RECOVERY_MS = 2_000;

export type Trial = {
  attack: string;
  what: string;
  quiet: Measurement;
  attacked: Measurement;
  ratio: number;
  maxRatio: number;
  /** Peak growth of the node's resident memory. */
  memoryMiB: number;
  summary: string;
  /** The summary of the attack on the stub: the load during the baseline. */
  quietSummary: string;
  /** Violations other than those of GUARANTEED, which depend on the machine. */
  violations: string[];
};

export async function tryAttack(attack: Attack, options: { dist: string; seconds: number }): Promise<Trial> {
  const stage = await openStage({ ...attack, dist: options.dist });
  try {
    const bystanders = await stage.people(BYSTANDERS, 'bystander');
    const seed = await attack.prepare(stage);
    await watch(stage.url, bystanders, after(1_500)); // warm up
    const attackOnStub = launchAttacker(attack.name, stage.stubUrl, options.seconds, seed);
    await sleep(STARTUP_MS);
    const quiet = await watch(stage.url, bystanders, after(options.seconds * 1_000 - STARTUP_MS));
    const quietSummary = await attackOnStub;

    const memory = watchMemory(stage);
    const attackOnNode = launchAttacker(attack.name, stage.url, options.seconds, seed);
    await sleep(STARTUP_MS);
    const [attacked, violations] = await Promise.all([
      watch(stage.url, bystanders, after(options.seconds * 1_000 - STARTUP_MS)),
      attack.during?.(stage, seed) ?? Promise.resolve<string[]>([]),
    ]);
    const summary = await attackOnNode;
    const afterwards = await watch(stage.url, bystanders, after(RECOVERY_MS));
    const memoryMiB = memory.stop();
    violations.push(...((await attack.after?.(stage, seed)) ?? []));
    for (const [when, { failed }] of Object.entries({ quiet, attacked, afterwards }))
      if (Object.keys(failed).length > 0) violations.push(`bystanders, ${when}: ${JSON.stringify(failed)}`);
    violations.push(...nodeFaults(stage));
    const ratio = attacked.p99 / quiet.p99;
    return {
      attack: attack.name,
      what: attack.what,
      quiet,
      attacked,
      ratio,
      maxRatio: attack.maxRatio ?? GUARANTEED.ratio,
      memoryMiB,
      summary,
      quietSummary,
      violations,
    };
  } finally {
    await stage.end();
  }
}

const after = (ms: number) => {
  const endMs = performance.now() + ms;
  return () => endMs;
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
  const output = await text(child.stdout);
  const [code] = await exited;
  clearTimeout(kill);
  if (code !== 0) throw new Error(`the attack ${name} exited with ${code}`);
  return output.trim();
}

function watchMemory(stage: Stage) {
  const before = stage.memory();
  let peak = before;
  const timer = setInterval(() => {
    if (stage.node.isAlive()) peak = Math.max(peak, stage.memory());
  }, SAMPLE_MS);
  return {
    stop(): number {
      clearInterval(timer);
      return Math.round(peak - before);
    },
  };
}

function nodeFaults({ node }: Stage): string[] {
  const faults: string[] = [];
  if (!node.isAlive()) faults.push(`the node exited: ${node.output().slice(-500)}`);
  const error = /.*"level":"error".*/.exec(node.output())?.[0];
  if (error) faults.push(`the node logged an error: ${error.slice(0, 500)}`);
  return faults;
}
