/**
 * npm run torture -- [--fault name,…|all] [--seed n] [--seeds n] [--seconds n] [--json file]
 * npm run torture -- --matrix [part of a guard's name] [--seed n]
 * npm run torture -- --measure [slow | storm]
 * npm run torture -- --long
 *
 * Injects faults while clients use Parley, and checks what the clients observed. Prints one row per fault; exits with 1 if
 * a guarantee was violated. --measure measures the cost of slow readers and of mass reconnects. --matrix disables each
 * guard in turn and fails if the checker does not detect it. --long runs everything, with 20 seeds of 90 s per fault.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { FAULT_NAMES, faultOf } from './faults.ts';
import { type Measured, measureSlowReaders, measureStorm } from './measure.ts';
import { MUTANTS, type Mutant, makeMutant, SLOW_READERS } from './mutants.ts';
import { NotPossibleHere } from './processes.ts';
import { describeRun, type MutantResult, matrixTable, measuredTable, table } from './report.ts';
import { type RunResult, run } from './run.ts';

/** Whether a disabled guard causes a violation partly depends on chance. */
const SEEDS_PER_MUTANT = 3;
const root = fileURLToPath(new URL('../..', import.meta.url));

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    fault: { type: 'string', default: 'all' },
    matrix: { type: 'boolean', default: false },
    measure: { type: 'boolean', default: false },
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string' },
    seconds: { type: 'string' },
    long: { type: 'boolean', default: false },
    json: { type: 'string' },
  },
});
const firstSeed = Number(values.seed);
const seeds = Number(values.seeds ?? (values.long ? 20 : 1));
const seconds = Number(values.seconds ?? (values.long ? 90 : 30));
const print = (text: string) => void process.stdout.write(`${text}\n`);

async function runFaults(): Promise<boolean> {
  const names = values.fault === 'all' ? FAULT_NAMES : values.fault.split(',');
  for (const name of names)
    if (!faultOf(name)) throw new Error(`unknown fault ${name}. Available: ${FAULT_NAMES.join(', ')}`);
  const results: RunResult[] = [];
  for (const fault of names) {
    try {
      for (let seed = firstSeed; seed < firstSeed + seeds; seed += 1) {
        const result = await run({ fault, seed, seconds, dist: `${root}dist` });
        results.push(result);
        print(describeRun(result));
      }
    } catch (error) {
      if (!(error instanceof NotPossibleHere)) throw error;
      print(`LEFT OUT: ${fault}: ${error.message}`);
    }
  }
  print(`\n${table(results)}`);
  if (values.json) writeFileSync(values.json, JSON.stringify(results));
  return results.every(({ verdict }) => verdict.violations.length === 0);
}

/** All violated rules, if one that the mutant's guard protects is among them; otherwise none. */
async function violatedRules(
  { fault, seconds, expects }: Mutant,
  seed: number,
  dist: string,
): Promise<string[]> {
  const violated =
    fault === SLOW_READERS
      ? (await measureSlowReaders(dist)).flatMap(({ isMet, what, value }) =>
          isMet ? [] : [`${what}: ${value}`],
        )
      : (await run({ fault, seconds, seed, dist })).verdict.violations.map(({ rule }) => rule);
  const isExpected = violated.some((rule) => expects.some((each) => rule.startsWith(each)));
  return isExpected ? [...new Set(violated)] : [];
}

async function runMatrix(): Promise<boolean> {
  const results: MutantResult[] = [];
  const filter = positionals[0] ?? '';
  for (const mutant of MUTANTS.filter(({ guard }) => guard.includes(filter))) {
    const dist = makeMutant(root, mutant);
    let [runs, rules] = [0, [] as string[]];
    while (rules.length === 0 && runs < SEEDS_PER_MUTANT) {
      rules = await violatedRules(mutant, firstSeed + runs, dist);
      runs += 1;
    }
    results.push({ guard: mutant.guard, fault: mutant.fault, runs, rules });
    print(`${mutant.guard} (${mutant.fault}, ${runs} runs): ${rules.join(', ') || 'NOT DETECTED'}`);
  }
  print(`\n${matrixTable(results)}`);
  return results.every(({ rules }) => rules.length > 0);
}

async function measure(): Promise<boolean> {
  const results: Measured[] = [];
  for (const [name, work] of [
    ['slow', measureSlowReaders],
    ['storm', measureStorm],
  ] as const) {
    if (!positionals[0] || positionals[0] === name) results.push(...(await work(`${root}dist`)));
  }
  print(measuredTable(results));
  return results.every(({ isMet }) => isMet);
}

execFileSync(process.execPath, ['scripts/build.mjs'], { cwd: root, stdio: 'inherit' });
const selected = values.matrix ? [runMatrix] : values.measure ? [measure] : [runFaults];
let passed = true;
for (const part of values.long ? [runFaults, measure, runMatrix] : selected)
  passed = (await part()) && passed;
process.exit(passed ? 0 : 1);
