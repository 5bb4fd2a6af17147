/** The summary at the end of .ci/run: what passes, what fails, and what it says about tests that failed once. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

type Result = { passed: number; failed: number; pending?: number; success?: boolean; brokenFile?: boolean };

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'parley-summary-'));

function report(
  name: string,
  { passed, failed, pending = 0, success = failed === 0, brokenFile }: Result,
): string {
  const path = join(folder, name);
  const failures = Array.from({ length: failed }, (_, i) => ({
    status: 'failed',
    fullName: `does thing ${i}`,
    failureMessages: ['expected 1 to be 2\n    at somewhere'],
  }));
  const isBad = failed > 0 || brokenFile;
  const file = {
    name: join(ROOT, 'test/unit/x.test.ts'),
    status: isBad ? 'failed' : 'passed',
    message: brokenFile ? 'cannot be loaded' : '',
    assertionResults: failures,
  };
  const counts = {
    numPassedTests: passed,
    numFailedTests: failed,
    numPendingTests: pending,
    numTodoTests: 0,
  };
  writeFileSync(path, JSON.stringify({ ...counts, success, testResults: [file] }));
  return path;
}

function summary(...args: string[]) {
  const { status, stdout } = spawnSync(process.execPath, ['.ci/summary.mjs', ...args], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  return { status, output: stdout.trim(), last: stdout.trim().split('\n').at(-1) };
}

test.each<[string, Result, Result | undefined, number, string]>([
  ['all passed', { passed: 9, failed: 0 }, undefined, 0, '9 passed, 0 failed'],
  ['one failed', { passed: 8, failed: 1 }, undefined, 1, '8 passed, 1 failed'],
  ['it failed twice', { passed: 8, failed: 1 }, { passed: 0, failed: 1 }, 1, '8 passed, 1 failed'],
  [
    'it passed in the second run',
    { passed: 8, failed: 1 },
    { passed: 1, failed: 0 },
    0,
    '9 passed (1 of them in the second run only), 0 failed',
  ],
  ['one was left out', { passed: 8, failed: 0, pending: 1 }, undefined, 1, '8 passed, 0 failed'],
  ['none has run', { passed: 0, failed: 0 }, undefined, 1, '0 passed, 0 failed'],
  [
    'a file cannot be loaded',
    { passed: 8, failed: 0, success: false, brokenFile: true },
    undefined,
    1,
    '8 passed, 0 failed',
  ],
  [
    'an error outside of the tests',
    { passed: 8, failed: 0, success: false },
    undefined,
    1,
    '8 passed, 0 failed',
  ],
])('%s', (name, first, second, status, last) => {
  const reports = [
    report('all.json', first),
    second ? report('again.json', second) : join(folder, 'missing.json'),
  ];
  const { output, ...result } = summary('count', ...reports);
  expect(result, output).toEqual({ status, last });
  if (first.failed > 0)
    expect(output, name).toContain('test/unit/x.test.ts: does thing 0\nexpected 1 to be 2');
  if (first.failed > 0 && status === 0) expect(output).toContain('UNSTABLE');
  if (first.brokenFile) expect(output).toContain('test/unit/x.test.ts\ncannot be loaded');
});

test('a report that does not exist is a failure', () => {
  expect(summary('count', join(folder, 'missing'), join(folder, 'missing'))).toMatchObject({ status: 1 });
});

test('lists the files that run again', () => {
  expect(summary('files', report('all.json', { passed: 1, failed: 2 })).output).toBe('test/unit/x.test.ts');
  expect(summary('files', report('all.json', { passed: 1, failed: 0 })).output).toBe('');
});
