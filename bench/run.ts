/**
 * `npm run bench [figure …]`: builds, measures, prints one table and writes bench/results/<time>.json. Needs a
 * redis-server on the PATH and Linux; the peers are installed when they are first needed (bench/peers.ts). Without a
 * name every figure is measured, each within a quarter of an hour, but the soak, which takes half an hour, and
 * `before`, which compares with an older build; `RUNS=2` is shorter.
 * `npm run bench -- --docs results.json …` measures nothing: it writes these results into docs/reference/performance.md.
 *
 * Each figure starts what it needs and ends it. Servers, Redis, senders and readers are processes of their own, on
 * this machine's loopback. What is compared is measured in turns within one run, the order alternated.
 */
import { execFileSync } from 'node:child_process';
import { rewrite } from './document.ts';
import { type Figure, figures, ONLY_BY_NAME } from './figures/index.ts';
import { machine, print, type Row, write } from './report.ts';
import { build } from './servers.ts';
import { requireLinux } from './stage.ts';

/** One figure may take so long; then something hangs, and everything that was started is ended. */
const FIGURE_WITHIN_MS = 15 * 60_000;
const SOAK_WITHIN_MS = 24 * 60 * 60_000;

async function measure(name: string, figure: Figure): Promise<Row[]> {
  const withinMs = ONLY_BY_NAME.includes(name) ? SOAK_WITHIN_MS : FIGURE_WITHIN_MS;
  const late = setTimeout(() => {
    process.stderr.write(`bench: ${name} has not ended after ${withinMs / 60_000} minutes\n`);
    process.exit(1);
  }, withinMs);
  const startedAt = performance.now();
  const rows = await figure((line) => process.stderr.write(`${name}: ${line}\n`));
  process.stderr.write(`${name}: done in ${Math.round((performance.now() - startedAt) / 1_000)} s\n`);
  clearTimeout(late);
  return rows;
}

const asked = process.argv.slice(2);
if (asked[0] === '--docs') {
  rewrite(asked.slice(1));
  process.exit(0);
}
const unknown = asked.filter((name) => !(name in figures));
if (unknown.length > 0) {
  process.stderr.write(
    `bench: no figure ${unknown.join(', ')}; there are ${Object.keys(figures).join(', ')}\n`,
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
  if (asked.length > 0 ? !asked.includes(name) : ONLY_BY_NAME.includes(name)) continue;
  try {
    rows.push(...(await measure(name, await load())));
    write(rows, on); // what there is, should a later figure hang
  } catch (error) {
    failed.push(name);
    process.stderr.write(`bench: ${name} failed: ${error instanceof Error ? error.stack : error}\n`);
  }
}
if (rows.length > 0) {
  print(rows, on);
  process.stdout.write(`\n${write(rows, on)}\n`);
}
if (failed.length > 0) process.stderr.write(`bench: without a result: ${failed.join(', ')}\n`);
process.exit(failed.length > 0 ? 1 : 0); // also what a figure that failed had started
