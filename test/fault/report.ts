/** Formats the results of runs as text and as the tables of docs/explanation/reliability.md. Pure. */
import { faultOf } from './faults.ts';
import type { Measured } from './measure.ts';
import type { RunResult } from './run.ts';

const SHOWN_VIOLATIONS = 8;

export function percentile(values: number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

function grouped<T>(all: T[], keyOf: (each: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const each of all) groups.set(keyOf(each), [...(groups.get(keyOf(each)) ?? []), each]);
  return groups;
}

const seconds = (ms: number): string => (Number.isNaN(ms) ? '–' : (ms / 1_000).toFixed(1));
/** Median, 99th percentile and maximum, in seconds. */
const spread = (values: number[]): string =>
  values.length === 0 ? '–' : [0.5, 0.99, 1].map((share) => seconds(percentile(values, share))).join(' / ');

export function describeRun(result: RunResult): string {
  const { fault, seed, injections, verdict, sends, drainMs, presenceMs, goneMs } = result;
  const lines = [
    `${fault}, seed ${seed}: ${injections} injections, ${verdict.violations.length} violations, ` +
      `${sends.ok} ok, ${sends.fail} fail, ${sends.unknowns} unknown, ${result.deliveries} deliveries, ` +
      `${verdict.repeats} repeats, ${verdict.gaps} gaps, ${verdict.lost} lost; ` +
      `reconnect ${spread(result.backMs)}, accepted ${spread(result.acceptedMs)}, delayed ${spread(result.delaysMs)}, ` +
      `drained ${seconds(drainMs)}, presence ${seconds(presenceMs)}, gone ${seconds(goneMs)} s`,
  ];
  for (const what of result.slow.slice(0, SHOWN_VIOLATIONS)) lines.push(`  slow, not a violation: ${what}`);
  const byRule = grouped(verdict.violations, ({ rule }) => rule);
  for (const [rule, all] of byRule) {
    lines.push(`  ${rule}: ${all.length}`);
    for (const { what } of all.slice(0, SHOWN_VIOLATIONS)) lines.push(`    ${what}`);
  }
  return lines.join('\n');
}

/** One row per fault, as Markdown. */
export function table(results: RunResult[]): string {
  const sum = (all: RunResult[], of: (result: RunResult) => number) =>
    all.reduce((total, each) => total + of(each), 0);
  const rows = [...grouped(results, ({ fault }) => fault)].map(([name, all]) => [
    `\`${name}\``,
    faultOf(name)?.what ?? '',
    `${all.length} × ${all[0]!.seconds} s`,
    sum(all, ({ verdict }) => verdict.violations.length),
    `${sum(all, ({ sends }) => sends.ok)} / ${sum(all, ({ sends }) => sends.fail)} / ${sum(all, ({ sends }) => sends.unknowns)}`,
    sum(all, ({ deliveries }) => deliveries),
    sum(all, ({ verdict }) => verdict.repeats),
    sum(all, ({ verdict }) => verdict.gaps),
    sum(all, ({ verdict }) => verdict.lost),
    spread(all.flatMap(({ backMs }) => backMs)),
    spread(all.flatMap(({ acceptedMs }) => acceptedMs)),
  ]);
  const head = [
    ...['fault', 'what is done', 'runs', 'violations', 'sends ok / fail / unknown', 'deliveries', 'repeats'],
    ...['gaps', 'lost', 'reconnect, s', 'sends accepted again, s'],
  ];
  return markdown([head, ...rows]);
}

export type MutantResult = { guard: string; fault: string; runs: number; rules: string[] };

export function matrixTable(results: MutantResult[]): string {
  const rows = results.map(({ guard, fault, runs, rules }) => [
    ...[guard, `\`${fault}\``, runs, rules.join(', ') || '**none**'],
  ]);
  return markdown([['disabled guard', 'fault', 'runs until detected', 'violations'], ...rows]);
}

export function measuredTable(results: Measured[]): string {
  const rows = results.map(({ what, value, limit, isMet }) => [what, value, limit, isMet ? 'yes' : '**no**']);
  return markdown([['measurement', 'value', 'limit', 'met'], ...rows]);
}

function markdown([head = [], ...rows]: (string | number)[][]): string {
  return [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
}
