/**
 * npm run torture -- [--fault name,…|all] [--seed n] [--seeds n] [--seconds n] [--json file]
 *
 * Runs Parley under faults and checks what its clients saw. One row per fault; exit code 1 when a promise was broken.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { FAULT_NAMES, faultOf } from './faults.ts';
import { describeRun, table } from './report.ts';
import { type RunResult, run } from './run.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

const { values } = parseArgs({
  options: {
    fault: { type: 'string', default: 'all' },
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '30' },
    json: { type: 'string' },
  },
});

const names = values.fault === 'all' ? FAULT_NAMES : values.fault.split(',');
for (const name of names)
  if (!faultOf(name)) throw new Error(`there is no fault ${name}; there are ${FAULT_NAMES.join(', ')}`);

execFileSync(process.execPath, ['scripts/build.mjs'], { cwd: root, stdio: 'inherit' });

const results: RunResult[] = [];
for (const fault of names) {
  for (let index = 0; index < Number(values.seeds); index += 1) {
    const seed = Number(values.seed) + index;
    const result = await run({ fault, seed, seconds: Number(values.seconds), dist: `${root}dist` });
    results.push(result);
    process.stdout.write(`${describeRun(result)}\n`);
  }
}
process.stdout.write(`\n${table(results)}\n`);
if (values.json) writeFileSync(values.json, JSON.stringify(results));
process.exit(results.some(({ verdict }) => verdict.violations.length > 0) ? 1 : 0);
