/**
 * npm run abuse [-- --attack name,…] [--seconds n] [--dist folder] [--json file]
 * npm run abuse -- --short
 *
 * Attacks a node with the default settings from one loopback network while bystanders use it from others, and prints
 * what they noticed. Exit code 1 when a promise of docs/security.md was broken.
 *
 * --short is for CI: some of the attacks, for a moment. A busy machine must not fail it, so latency and memory are only
 * held to bounds that a server without admission control misses by far.
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Attack } from './attack.ts';
import { ATTACKS, attackOf } from './attacks.ts';
import { PROMISED, type Trial, tryAttack } from './trial.ts';

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
const say = (text: string) => void process.stdout.write(`${text}\n`);

function brokenBy({ ratio, attacked, memoryMiB, broken }: Trial): string[] {
  const all = [...broken];
  const isSlow = values.short ? attacked.p99 > SHORT_BOUNDS.p99Ms : ratio > PROMISED.ratio;
  if (isSlow) all.push(`p99 ${ratio.toFixed(1)} × quiet`);
  const most = values.short ? SHORT_BOUNDS.memoryMiB : PROMISED.memoryMiB;
  if (memoryMiB > most) all.push(`memory grew by ${memoryMiB} MiB`);
  return all;
}

function attackNamed(name: string): Attack {
  const attack = attackOf(name);
  if (attack) return attack;
  throw new Error(`there is no attack ${name}; there are ${ATTACKS.map((each) => each.name).join(', ')}`);
}

const names = values.attack?.split(',') ?? (values.short ? SHORT : undefined);
const attacks = names?.map(attackNamed) ?? ATTACKS;
const trials: Trial[] = [];
say(
  'attack | bystanders’ p99: quiet, attacked, ratio | memory | what the attacker got | broken\n---|---|---|---|---',
);
for (const attack of attacks) {
  const trial = await tryAttack(attack, { dist: values.dist, seconds });
  trials.push(trial);
  const { quiet, attacked, ratio, memoryMiB, did } = trial;
  say(
    `${attack.name} | ${quiet.p99} ms, ${attacked.p99} ms, ${ratio.toFixed(1)} | +${memoryMiB} MiB | ${did} | ` +
      (brokenBy(trial).join('; ') || 'nothing'),
  );
}
if (values.json) writeFileSync(values.json, `${JSON.stringify(trials, undefined, 2)}\n`);
const failed = trials.filter((trial) => brokenBy(trial).length > 0);
say(`\n${trials.length - failed.length} held, ${failed.length} broken`);
process.exit(failed.length > 0 ? 1 : 0);
