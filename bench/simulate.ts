/**
 * `npm run simulate`: how many nodes and Redis servers a number of accounts needs, from the measured costs. Nothing is started.
 *
 *     npm run simulate                                       # the tables of docs/explanation/scale.md
 *     npm run simulate -- onlineShare=0.3 retentionDays=90   # with other assumptions (bench/scale/parameters.ts)
 *     npm run simulate -- accounts=2500000                   # one row for this many accounts
 *     npm run simulate -- --docs                             # writes the tables into the document
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Performance } from './document.ts';
import { type Name, PARAMETERS, type Values, valuesOf } from './scale/parameters.ts';
import { fleetTable, tablesOf } from './scale/tables.ts';

const pathOf = (file: string): string => fileURLToPath(new URL(`../docs/${file}`, import.meta.url));
const DOCUMENT = pathOf('explanation/scale.md');

export const readPerformance = (): Performance =>
  JSON.parse(readFileSync(pathOf('reference/performance.json'), 'utf8'));

/** The committed document, and what it must contain. */
export function written(): { text: string; rendered: string } {
  const text = readFileSync(DOCUMENT, 'utf8');
  const tables = tablesOf(readPerformance());
  const rendered = text.replaceAll(
    /(<!-- simulate:([\w-]+) -->\n)[\s\S]*?(<!-- \/simulate -->)/g,
    (_, from: string, name: string, to: string) =>
      `${from}\n${tables[name] ?? 'There is no such table.'}\n\n${to}`,
  );
  return { text, rendered };
}

/**
 * Parses arguments such as `onlineShare=0.3`.
 * @throws Error that names the argument and the known names
 */
export function parseArguments(args: string[]): { accounts: number | undefined; overrides: Partial<Values> } {
  const overrides: Partial<Values> = {};
  let accounts: number | undefined;
  for (const arg of args) {
    const [, name = '', text = ''] = /^(\w+)=(.+)$/.exec(arg) ?? [];
    const value = Number(text);
    if (text === '' || !Number.isFinite(value) || value < 0) throw new Error(`"${arg}" is not name=number.`);
    if (name === 'accounts') accounts = value;
    else if (name in PARAMETERS) overrides[name as Name] = value;
    else
      throw new Error(
        `There is no parameter ${name}. Known: accounts, ${Object.keys(PARAMETERS).join(', ')}.`,
      );
  }
  return { accounts, overrides };
}

const TITLES: Record<string, string> = {
  limits: 'One Redis server: the most accounts, with each limit alone',
  server: 'One Redis server; more than one master means that it is not enough',
  cluster: 'A Redis Cluster: arithmetic, not supported yet',
  purchase: 'To buy for a million open streams, on a cluster',
  slots: 'Slots that do not spread over the masters: the most events per second',
  points: 'The model beside the measurements',
};

function print(args: string[]): void {
  const { accounts, overrides } = parseArguments(args);
  const tables = tablesOf(readPerformance(), overrides);
  if (accounts !== undefined) {
    for (const isCluster of [false, true])
      tables[isCluster ? 'cluster' : 'server'] = fleetTable(valuesOf(overrides, isCluster), [accounts]);
  }
  for (const [name, title] of Object.entries(TITLES)) process.stdout.write(`\n${title}\n\n${tables[name]}\n`);
}

function main(args: string[]): void {
  if (args.includes('--docs')) {
    writeFileSync(DOCUMENT, written().rendered);
    return;
  }
  try {
    print(args);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    process.exitCode = 2;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main(process.argv.slice(2));
