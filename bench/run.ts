/**
 * `npm run bench [figure …]`: builds, measures, prints one table and writes bench/results/<time>.json. Needs Linux and a
 * redis-server on the PATH; the peers are installed on first use (bench/peers.ts). Without arguments it measures every
 * figure, each within 15 minutes, except the soak, which takes half an hour, and `before`, which compares with an older
 * build. `RUNS=2` makes it shorter.
 * `npm run bench -- --docs results.json …` measures nothing: it writes the results into docs/reference/performance.md.
 *
 * Each figure starts and stops the processes it needs. Servers, Redis, senders and readers are separate processes on the
 * loopback interface. Subjects are measured in turn within one run, in alternating order.
 */
import { execFileSync } from 'node:child_process';
import { rewrite } from './document.ts';
import { type Figure, figures, ONLY_BY_NAME } from './figures/index.ts';
import { machine, print, type Row, write } from './report.ts';
import { build } from './servers.ts';
import { requireLinux } from './stage.ts';

/** Time limit of one figure; after it something hangs, and all processes are killed. */
const FIGURE_WITHIN_MS = 15 * 60_000;
const SOAK_WITHIN_MS = 24 * 60 * 60_000;

async function measure(name: string, figure: Figure): Promise<Row[]> {
  const withinMs = ONLY_BY_NAME.includes(name) ? SOAK_WITHIN_MS : FIGURE_WITHIN_MS;
  const timeout = setTimeout(() => {
    process.stderr.write(`bench: ${name} did not finish within ${withinMs / 60_000} minutes\n`);
    process.exit(1);
  }, withinMs);
  const startedAt = performance.now();
  const rows = await figure((line) => process.stderr.write(`${name}: ${line}\n`));
  process.stderr.write(`${name}: done in ${Math.round((performance.now() - startedAt) / 1_000)} s\n`);
  clearTimeout(timeout);
  return rows;
}

const names = process.argv.slice(2);
if (names[0] === '--docs') {
  rewrite(names.slice(1));
  process.exit(0);
}
const unknown = names.filter((name) => !(name in figures));
if (unknown.length > 0) {
  process.stderr.write(
    `bench: unknown figure ${unknown.join(', ')}. Available: ${Object.keys(figures).join(', ')}\n`,
  );
  process.exit(2);
}
requireLinux();
const redisVersion = /v=(\S+)/.exec(execFileSync('redis-server', ['--version'], { encoding: 'utf8' }))?.[1];
const on = machine(redisVersion ?? 'unknown');
build();
const rows: Row[] = [];
const failed: string[] = [];
for (const [name, load] of Object.entries(figures)) {
  if (names.length > 0 ? !names.includes(name) : ONLY_BY_NAME.includes(name)) continue;
  try {
    rows.push(...(await measure(name, await load())));
    write(rows, on); // saves the results so far, in case a later figure hangs
  } catch (error) {
    failed.push(name);
    process.stderr.write(`bench: ${name} failed: ${error instanceof Error ? error.stack : error}\n`);
  }
}
if (rows.length > 0) {
  print(rows, on);
  process.stdout.write(`\n${write(rows, on)}\n`);
}
if (failed.length > 0) process.stderr.write(`bench: failed figures: ${failed.join(', ')}\n`);
process.exit(failed.length > 0 ? 1 : 0); // also kills processes of failed figures
