/** Third-party checkers of the contract itself: YAML parsers and regular expressions of other languages, and a linter. */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { pythonFaults, pythonVersions } from '../../scripts/contract-check.ts';
import { patternsOf, SAMPLES } from '../../scripts/contract-rules.ts';
import { run, versionOf } from './generators.ts';

export type Checker = {
  name: string;
  version: () => string;
  /** Returns the faults, or undefined if the tool is not installed (which is logged). */
  check: (contract: string) => Promise<string[] | undefined>;
  note: string;
};

async function python(contract: string): Promise<string[] | undefined> {
  const faults = pythonFaults(readFileSync(contract, 'utf8'));
  if (faults !== 'no PyYAML') return faults;
  if (process.env['CI']) return ['install python3-yaml'];
  process.stderr.write('*** LEFT OUT: python3-yaml is not installed. ***\n');
  return undefined;
}

async function re2(contract: string): Promise<string[]> {
  // Imported lazily, because this folder's packages may not be installed yet.
  const { RE2JS } = await import('re2js');
  return patternsOf(parse(readFileSync(contract, 'utf8'))).flatMap(({ where, pattern }) => {
    try {
      const compiled = RE2JS.compile(pattern);
      const differs = SAMPLES.filter(
        (text) => compiled.matcher(text).find() !== new RegExp(pattern, 'u').test(text),
      );
      return differs.length === 0 ? [] : [`${where}: matches differently for ${JSON.stringify(differs)}`];
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
    name: "PyYAML and Python's `re`",
    version: pythonVersions,
    check: python,
    note: 'the same document with its own loader and with libyaml; each pattern matches the same samples',
  },
  {
    name: 're2js',
    version: () => versionOf('re2js'),
    check: re2,
    note: "Go's regular expressions (RE2) in JavaScript: each pattern matches the same samples",
  },
  {
    name: 'spectral',
    version: () => versionOf('@stoplight/spectral-cli'),
    check: spectral,
    note: 'the ruleset `spectral:oas` without `info-contact`: no errors and no warnings',
  },
];
