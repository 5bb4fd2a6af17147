/** What reads the contract itself and was not written here: YAML of other languages, their regular expressions, a linter. */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { pythonFaults, pythonVersions } from '../../scripts/contract-check.ts';
import { patternsOf, SAMPLES } from '../../scripts/contract-rules.ts';
import { run, versionOf } from './generators.ts';

export type Checker = {
  name: string;
  version: () => string;
  /** Nothing where it is not here; then it says so. */
  check: (contract: string) => Promise<string[] | undefined>;
  note: string;
};

async function python(contract: string): Promise<string[] | undefined> {
  const faults = pythonFaults(readFileSync(contract, 'utf8'));
  if (faults !== 'no PyYAML') return faults;
  if (process.env['CI']) return ['install python3-yaml'];
  process.stderr.write('*** LEFT OUT: no python3-yaml here. ***\n');
  return undefined;
}

async function re2(contract: string): Promise<string[]> {
  // Not before this folder's packages are installed.
  const { RE2JS } = await import('re2js');
  return patternsOf(parse(readFileSync(contract, 'utf8'))).flatMap(({ where, pattern }) => {
    try {
      const theirs = RE2JS.compile(pattern);
      const differs = SAMPLES.filter(
        (text) => theirs.matcher(text).find() !== new RegExp(pattern, 'u').test(text),
      );
      return differs.length === 0 ? [] : [`${where}: answers otherwise for ${JSON.stringify(differs)}`];
    } catch (error) {
      return [`${where}: ${String(error)}`];
    }
  });
}

async function spectral(contract: string): Promise<string[]> {
  const { ok, lines } = await run('spectral', [
    'lint',
    contract,
    '--ruleset',
    'spectral.yaml',
    '--fail-severity',
    'hint',
  ]);
  return ok ? [] : lines;
}

export const checkers: Checker[] = [
  {
    name: 'PyYAML, and `re` of Python',
    version: pythonVersions,
    check: python,
    note: 'the very same document, by its own loader and by libyaml; each pattern finds the same',
  },
  {
    name: 're2js',
    version: () => versionOf('re2js'),
    check: re2,
    note: "Go's regular expressions (RE2) in JavaScript: each pattern finds the same",
  },
  {
    name: 'spectral',
    version: () => versionOf('@stoplight/spectral-cli'),
    check: spectral,
    note: 'the ruleset `spectral:oas` but `info-contact`: no error and no warning',
  },
];
