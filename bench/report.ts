/** The output: one table to read and one JSON file to compare. The bench never asserts; the goals are listed beside the figures. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { Summary } from './stats.ts';

export type Row = {
  figure: string;
  /** The measured case, such as `broadcast, 64 connections`. */
  case: string;
  /** The measured system. */
  subject: string;
  value: Summary;
  unit: string;
  /** Parley's value divided by that of `to`, run by run. */
  ratio?: Summary & { to: string };
  goal?: string;
  latencyMs?: { p50: number; p99: number };
  /** CPU shares during the measurement, in cores; `server` is the subject. */
  cpu?: Record<string, number>;
  /** CPU time of the subject per `unit`; more reliable than rates when other processes use the machine. */
  serverMicros?: number;
  rssBytes?: number;
  /** Redis commands per operation of the case, including commands called by scripts. */
  redisCommands?: number;
  note?: string;
};

export type Machine = ReturnType<typeof machine>;

export function machine(redisVersion: string) {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    redis: redisVersion,
    nginx: /nginx\/(\S+)/.exec(outputOf('/usr/sbin/nginx', '-v'))?.[1] ?? 'none',
    /** The commit of this repository; `+` marks uncommitted changes. */
    commit: outputOf('git', 'describe', '--always', '--dirty=+', '--exclude=*').trim(),
    /** Above 0.5, another process was using the machine or the previous figure had just ended. */
    loadBefore: loadavg()[0]!,
    at: new Date().toISOString(),
  };
}

function outputOf(program: string, ...args: string[]): string {
  const { stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  return `${stdout ?? ''}${stderr ?? ''}`;
}

const short = (value: number): string =>
  value >= 10_000
    ? Math.round(value).toLocaleString('en')
    : value.toLocaleString('en', { maximumFractionDigits: value >= 100 ? 0 : 2 });
const range = ({ median, min, max }: Summary): string => `${short(median)} (${short(min)}–${short(max)})`;

const COLUMNS: [title: string, cell: (row: Row) => string][] = [
  ['figure', (row) => row.figure],
  ['case', (row) => row.case],
  ['subject', (row) => row.subject],
  ['median (min–max)', (row) => (row.value.runs > 0 ? `${range(row.value)} ${row.unit}` : '–')],
  ["Parley's ratio", (row) => (row.ratio ? `${range(row.ratio)} of ${row.ratio.to}` : '')],
  ['goal', (row) => row.goal ?? ''],
  ['p50 / p99 ms', ({ latencyMs }) => (latencyMs ? `${short(latencyMs.p50)} / ${short(latencyMs.p99)}` : '')],
  [
    'CPU share',
    ({ cpu }) =>
      Object.entries(cpu ?? {})
        .map(([name, share]) => `${name} ${share.toFixed(2)}`)
        .join(' '),
  ],
  ['server µs each', ({ serverMicros }) => (serverMicros ? short(serverMicros) : '')],
  ['RSS', ({ rssBytes }) => (rssBytes ? `${Math.round(rssBytes / 2 ** 20)} MiB` : '')],
  ['Redis commands each', ({ redisCommands }) => (redisCommands ? short(redisCommands) : '')],
  ['runs', (row) => String(row.value.runs)],
];

/** A Markdown table without the columns that are empty in all rows. */
export function table(rows: Row[], without: string[] = []): string {
  const used = COLUMNS.filter(
    ([title, cell]) => !without.includes(title) && rows.some((row) => cell(row) !== ''),
  );
  const lines = [used.map(([title]) => title), ...rows.map((row) => used.map(([, cell]) => cell(row)))];
  const widths = used.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  const text = lines.map((line) => `| ${line.map((cell, i) => cell.padEnd(widths[i]!)).join(' | ')} |`);
  text.splice(1, 0, `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`);
  return text.join('\n');
}

export const machineLine = (on: Machine): string =>
  `${on.cpu}, ${on.cores} cores, ${on.memoryGiB} GiB, Linux ${on.kernel}, node ${on.node}, redis ${on.redis}, nginx ${on.nginx}, commit ${on.commit}`;

export function print(rows: Row[], on: Machine): void {
  const notes = rows.flatMap((row) => (row.note ? [`${row.figure}, ${row.case}: ${row.note}`] : []));
  process.stdout.write(
    `\n${machineLine(on)}, load before ${on.loadBefore.toFixed(2)}\n` +
      `The server, Redis, the load generator and the readers share these cores: ratios are more reliable than rates.\n\n` +
      `${table(rows)}\n${notes.map((note) => `\n${note}`).join('')}\n`,
  );
}

/** Returns the name of the file. */
export function write(rows: Row[], on: Machine): string {
  const folder = fileURLToPath(new URL('results/', import.meta.url));
  mkdirSync(folder, { recursive: true });
  const file = `${folder}${on.at.replaceAll(/[:.]/g, '-')}.json`;
  writeFileSync(file, `${JSON.stringify({ machine: on, rows }, null, 2)}\n`);
  return file;
}
