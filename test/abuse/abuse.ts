/**
 * npm run abuse [-- --attack name,…] [--seconds n] [--dist folder] [--json file]
 * npm run abuse -- --short
 *
 * Attacks a node with default settings from one loopback network while bystanders use it from others, and prints the
 * effect on the bystanders. Exits with 1 if a guarantee in docs/explanation/security.md was violated.
 *
 * --short is for CI: fewer and shorter attacks. A busy machine must not fail it, so latency and memory are only checked
 * against bounds that a server without admission control exceeds by far.
 */
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Attack } from './attack.ts';
import { ATTACKS, attackOf } from './attacks.ts';
import { GUARANTEED, type Trial, tryAttack } from './trial.ts';

const { values } = parseArgs({
  options: {
    attack: { type: 'string' },
    seconds: { type: 'string' },
    short: { type: 'boolean', default: false },
    dist: { type: 'string', default: fileURLToPath(new URL('../../dist', import.meta.url)) },
    json: { type: 'string' },
  },
});
const SHORT = ['page', 'pipeline', 'hoard', 'errors', 'descriptors', 'guess', 'crowd-out'];
const SHORT_BOUNDS = { p99Ms: 1_000, memoryMiB: 200 };
const seconds = Number(values.seconds ?? (values.short ? 3 : 6));
const print = (text: string) => void process.stdout.write(`${text}\n`);

function violationsOf({ ratio, maxRatio, attacked, memoryMiB, violations }: Trial): string[] {
  const all = [...violations];
  const isSlow = values.short ? attacked.p99 > SHORT_BOUNDS.p99Ms : ratio > maxRatio;
  if (isSlow) all.push(`p99 ${ratio.toFixed(1)} × quiet`);
  const limitMiB = values.short ? SHORT_BOUNDS.memoryMiB : GUARANTEED.memoryMiB;
  if (memoryMiB > limitMiB) all.push(`memory grew by ${memoryMiB} MiB`);
  return all;
}

function attackNamed(name: string): Attack {
  const attack = attackOf(name);
  if (attack) return attack;
  throw new Error(`unknown attack ${name}. Available: ${ATTACKS.map((each) => each.name).join(', ')}`);
}

const names = values.attack?.split(',') ?? (values.short ? SHORT : undefined);
const attacks = names?.map(attackNamed) ?? ATTACKS;
const trials: Trial[] = [];
print(
  'attack | bystanders’ p99: quiet, attacked, ratio | memory | what the attacker got | violations\n---|---|---|---|---',
);
for (const attack of attacks) {
  const trial = await tryAttack(attack, { dist: resolve(values.dist), seconds });
  trials.push(trial);
  const { quiet, attacked, ratio, memoryMiB, summary } = trial;
  print(
    `${attack.name} | ${quiet.p99} ms, ${attacked.p99} ms, ${ratio.toFixed(1)} | +${memoryMiB} MiB | ${summary} | ` +
      (violationsOf(trial).join('; ') || 'none'),
  );
}
if (values.json) writeFileSync(values.json, `${JSON.stringify(trials, undefined, 2)}\n`);
const failed = trials.filter((trial) => violationsOf(trial).length > 0);
print(`\n${trials.length - failed.length} passed, ${failed.length} failed`);
process.exit(failed.length > 0 ? 1 : 0);
