/**
 * Generates all numbers of the document: `npm run bench -- --docs [results.json …]` merges the figures of the given results
 * into docs/reference/performance.json (replacing existing ones) and writes the tables of docs/reference/performance.md,
 * between `<!-- bench:figure -->` and `<!-- /bench -->`, and the charts in docs/reference/charts/.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { barOf, drawChart } from './chart.ts';
import { type Machine, machineLine, type Row, table } from './report.ts';

export type Performance = Record<string, { machine: Machine; rows: Row[] }>;

const docs = fileURLToPath(new URL('../docs/reference/', import.meta.url));
const files = { data: `${docs}performance.json`, text: `${docs}performance.md`, charts: `${docs}charts/` };

type Drawing = {
  figure: string;
  title: string;
  scale: 'linear' | 'log';
  isShown: (row: Row) => boolean;
  label: (row: Row) => string;
};

const subject = (row: Row): string => row.subject;
/** Keyed by file name. */
const CHARTS: Record<string, Drawing> = {
  fanout: {
    ...{ figure: 'fanout', title: 'Fan-out: deliveries per second, p99 ≤ 100 ms', scale: 'linear' },
    ...{ isShown: ({ value }) => value.runs > 0, label: subject },
  },
  memory: {
    ...{ figure: 'memory', title: 'Resident memory of the server per idle stream', scale: 'linear' },
    ...{ isShown: ({ value }) => value.runs > 0, label: (row) => `${row.subject}, ${row.case}` },
  },
  growth: {
    ...{ figure: 'growth', title: 'Latency of a call, with more and more accounts', scale: 'log' },
    ...{ isShown: ({ unit }) => unit === 'ms', label: (row) => row.case.replace(' accounts', '') },
  },
};

export function charts(performance: Performance): Record<string, string> {
  const drawn: Record<string, string> = {};
  for (const [name, { figure, title, scale, isShown, label }] of Object.entries(CHARTS)) {
    const rows = performance[figure]?.rows.filter(isShown) ?? [];
    if (rows.length === 0) continue;
    const bars = rows.map((row) => barOf(row, label(row)));
    drawn[`${name}.svg`] = drawChart({ title, unit: rows[0]!.unit, scale, bars });
  }
  return drawn;
}

/** Renders the tables of `performance` into the document. */
export function render(text: string, performance: Performance): string {
  return text.replaceAll(/(<!-- bench:(\w+) -->\n)[\s\S]*?(<!-- \/bench -->)/g, (_, from, name, to) => {
    const part = name === 'machine' ? machines(performance) : section(name, performance);
    return `${from}${part}\n${to}`;
  });
}

function section(name: string, performance: Performance): string {
  const rows = performance[name]?.rows;
  if (!rows) return '\nNot measured yet.\n';
  const drawings = Object.entries(CHARTS).filter(([, { figure }]) => figure === name);
  const pictures = drawings.map(([file, { title }]) => `![${title}](charts/${file}.svg)`);
  const notes = rows.flatMap((row) => (row.note ? [`- ${row.case} (${row.subject}): ${row.note}`] : []));
  const parts = [...pictures, table(rows, ['figure']), notes.join('\n')];
  return `\n${parts.filter(Boolean).join('\n\n')}\n`;
}

/** Figures measured together share a line. */
function machines(performance: Performance): string {
  const figures = new Map<string, string[]>();
  for (const [name, { machine }] of Object.entries(performance)) {
    const line = `${machineLine(machine)}, ${machine.at.slice(0, 10)}`;
    figures.set(line, [...(figures.get(line) ?? []), `${name} ${machine.loadBefore.toFixed(2)}`]);
  }
  return `\n${[...figures].map(([line, loads]) => `- ${line}; load before: ${loads.join(', ')}`).join('\n')}\n`;
}

const readData = (): Performance => {
  try {
    return JSON.parse(readFileSync(files.data, 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
};

/** The committed document, and what it must contain. */
export function written(): { text: string; rendered: string; drawn: Record<string, string>; folder: string } {
  const [text, performance] = [readFileSync(files.text, 'utf8'), readData()];
  return { text, rendered: render(text, performance), drawn: charts(performance), folder: files.charts };
}

export function rewrite(results: string[]): void {
  const performance = readData();
  for (const file of results) {
    const { machine, rows } = JSON.parse(readFileSync(file, 'utf8')) as { machine: Machine; rows: Row[] };
    for (const { figure } of rows) {
      performance[figure] = { machine, rows: rows.filter((row) => row.figure === figure) };
    }
  }
  writeFileSync(files.data, `${JSON.stringify(performance, null, 2)}\n`);
  const { rendered, drawn } = written();
  writeFileSync(files.text, rendered);
  mkdirSync(files.charts, { recursive: true });
  for (const [name, svg] of Object.entries(drawn)) writeFileSync(`${files.charts}${name}`, svg);
}
