/**
 * Reads the JSON reports of the tests.
 *   files <all>          prints the files that failed, one per line
 *   count <all> <again>  prints each failure and, as the last line, the count; exits with 0 only if all tests passed.
 *                        `again` is the report of a second run of the files that failed, if there was one.
 */
import { existsSync, readFileSync } from 'node:fs';
import { relative } from 'node:path';

const [mode, first, second] = process.argv.slice(2);

const NONE = {
  testResults: [],
  numPassedTests: 0,
  numFailedTests: 0,
  numPendingTests: 0,
  numTodoTests: 0,
  success: false,
};

function read(path) {
  const text = path && existsSync(path) ? readFileSync(path, 'utf8') : '';
  return text ? JSON.parse(text) : undefined;
}

const nameOf = (file) => relative(process.cwd(), file.name);
const failedFiles = ({ testResults }) => testResults.filter(({ status }) => status === 'failed');

function print(file) {
  const failed = file.assertionResults.filter(({ status }) => status === 'failed');
  if (failed.length === 0) console.log(`${nameOf(file)}\n${file.message}\n`);
  for (const { fullName, failureMessages } of failed) {
    const reasons = failureMessages.map((message) => message.split('\n').slice(0, 30).join('\n'));
    console.log(`${nameOf(file)}: ${fullName}\n${reasons.join('\n')}\n`);
  }
}

/** Whether everything passed, if need be in the second run. */
function count(all, again) {
  const failures = failedFiles(all);
  const isUnstable = again?.success === true && failures.length > 0;
  if (failures.length > 0)
    console.log(isUnstable ? '\nUNSTABLE: failed, and passed in a second run:' : '\nFAILED:');
  failures.forEach(print);
  if (again && !isUnstable) {
    console.log('FAILED IN THE SECOND RUN TOO:');
    failedFiles(again).forEach(print);
  }
  const leftOut = all.numPendingTests + all.numTodoTests;
  if (leftOut > 0) console.log(`${leftOut} left out: on CI every test must run.`);
  if (all.numPassedTests === 0)
    console.log('No test has run: a check failed before, or the tests could not start.');
  else if (all.numFailedTests === 0 && !all.success && failures.length === 0)
    console.log('Something failed outside of the tests.');
  const unstable = isUnstable ? all.numFailedTests : 0;
  const note = unstable > 0 ? ` (${unstable} of them in the second run only)` : '';
  console.log(`${all.numPassedTests + unstable} passed${note}, ${all.numFailedTests - unstable} failed`);
  return (all.success || isUnstable) && leftOut === 0 && all.numPassedTests > 0;
}

const all = read(first) ?? NONE;
if (mode === 'files') for (const file of failedFiles(all)) console.log(nameOf(file));
else process.exitCode = count(all, read(second)) ? 0 : 1;
