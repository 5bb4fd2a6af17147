/**
 * Part of `npm run check`: openapi.yaml follows the rules in contract-rules.ts and contract-shapes.ts, and PyYAML and Python's
 * `re` read it the same way as JavaScript. Without PyYAML the second half is skipped with a warning; on CI that is an error.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { patternFaults, patternsOf, SAMPLES, yamlFaults } from './contract-rules.ts';
import { shapeFaults } from './contract-shapes.ts';

type PythonReply = { documents: Record<string, unknown>; matches: boolean[][] };

/** The versions of PyYAML and Python on this machine. */
export function pythonVersions(): string {
  const print = "import platform, yaml; print(yaml.__version__ + ', ' + platform.python_version())";
  return spawnSync('python3', ['-c', print], { encoding: 'utf8' }).stdout?.trim() || 'not installed';
}

export function pythonFaults(text: string): string[] | 'no PyYAML' {
  const document: unknown = parse(text);
  const patterns = [...new Set(patternsOf(document).map(({ pattern }) => pattern))];
  const script = join(import.meta.dirname, 'contract.py');
  const input = JSON.stringify({ text, patterns, samples: SAMPLES });
  const { error, status, stdout, stderr } = spawnSync('python3', [script], { input, encoding: 'utf8' });
  if (error || status === 3) return 'no PyYAML';
  // Only the error line, without the traceback.
  if (status !== 0)
    return [`Python: ${(/^[\w.]*(?:error|warning)\b.*/ims.exec(stderr)?.[0] ?? stderr).trim()}`];
  const { documents, matches } = JSON.parse(stdout) as PythonReply;
  const faults = Object.entries(documents)
    .filter(([, loaded]) => JSON.stringify(loaded) !== JSON.stringify(document))
    .map(([loader]) => `${loader} of PyYAML reads a different document`);
  patterns.forEach((pattern, index) => {
    const differs = SAMPLES.filter(
      (sample, at) => new RegExp(pattern, 'u').test(sample) !== matches[index]![at],
    );
    if (differs.length > 0)
      faults.push(`Python matches differently for ${JSON.stringify(differs)}: ${pattern}`);
  });
  return faults;
}

if (process.argv[1] === import.meta.filename) {
  const text = readFileSync(process.argv[2] ?? join(import.meta.dirname, '../openapi.yaml'), 'utf8');
  const own = yamlFaults(text);
  const faults = own.length > 0 ? own : [...patternFaults(parse(text)), ...shapeFaults(parse(text))];
  const python = own.length > 0 ? [] : pythonFaults(text);
  if (python !== 'no PyYAML') faults.push(...python);
  else if (process.env['CI']) faults.push('CI must also read the contract with PyYAML: install python3-yaml');
  else
    process.stderr.write(
      '*** LEFT OUT: python3-yaml is not installed, so the contract was not read with PyYAML. ***\n',
    );
  for (const fault of faults) process.stderr.write(`openapi.yaml, ${fault}\n`);
  process.exitCode = faults.length === 0 ? 0 : 1;
}
