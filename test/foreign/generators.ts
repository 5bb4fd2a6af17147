/**
 * Client generators that nobody here wrote, and how each is asked. What one says beside the lines that are expected of it
 * is a warning. Redocly and openapi-typescript are tools of Parley itself; the others are installed in this folder.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';

export const HERE = import.meta.dirname;
export const ROOT = join(HERE, '../..');
export const GENERATED = join(HERE, 'generated');

export type Generator = {
  /** Its folder in generated/ and its module in clients/. */
  name: string;
  packages: string[];
  bin: string;
  args: (contract: string) => string[];
  /** What it says when it is content. */
  says: RegExp[];
  /** What it writes itself to a file, instead of saying it. */
  finds?: () => string[];
  /** After it, before the compiler. */
  afterwards?: () => void;
  note: string;
};

const swagger = join(GENERATED, 'swagger-typescript-api/client.ts');
const report = join(GENERATED, 'redocly/report.json');

const PROBLEMS_TOO = "mediaType === 'application/json' || mediaType === 'application/problem+json'";
/** Each step of its own, and a summary. */
const KUBB = [
  /^(Configuration|Generation) (started|completed)$/,
  /^ℹ (Config loaded|Setup generation|Build generation|Load summary)/,
  /^✓ (Config loaded|Generation) successfully/,
  /^Kubb CLI/,
  /^Generating plugin-\w+$/,
  /^plugin-\w+ completed in /,
  /^Writing \d+ files$/,
  /^Writing generated\/kubb\/\S+$/,
  /^Files written successfully$/,
  /^─+$/,
  /^(Plugins: +4 successful, 4 total|Generated: +\d+ files in |Output: )/,
];

export const generators: Generator[] = [
  {
    name: 'openapi-typescript',
    packages: ['openapi-typescript', 'openapi-fetch'],
    bin: 'openapi-typescript',
    args: (contract) => [contract, '-o', 'generated/openapi-typescript/contract.ts'],
    says: [/^✨ openapi-typescript [\d.]+$/, /^🚀 \S+ → \S+ \[[\d.]+m?s\]$/],
    note: '',
  },
  {
    name: 'redocly',
    packages: ['@redocly/cli'],
    bin: 'redocly',
    // biome-ignore format: a command line
    args: (contract) => ['generate-client', contract, '--output', 'generated/redocly/client.ts', '--error-mode', 'result', '--import-ext', 'ts', '--report', report],
    // The box says that the next version wants a newer Node.
    says: [/^[╔║╚]/, /^Generating client for \S+?\.\.\.$/, /^Client successfully generated: 1 file /],
    finds: () => {
      const { apis } = JSON.parse(readFileSync(report, 'utf8')) as { apis: { findings: unknown[] }[] };
      return apis.flatMap(({ findings }) => findings.map((finding) => JSON.stringify(finding)));
    },
    note: '`generate-client`, experimental',
  },
  {
    name: 'hey-api',
    packages: ['@hey-api/openapi-ts'],
    bin: 'openapi-ts',
    args: (contract) => ['-i', contract, '-o', 'generated/hey-api', '--no-log-file'],
    says: [/^@hey-api\/openapi-ts v/, /^\[Job 1\] (⏳ Generating from 1 input:|✅ Done!|\s*\[1\] )/],
    note: 'the last version for Node 20',
  },
  {
    name: 'swagger-typescript-api',
    packages: ['swagger-typescript-api'],
    bin: 'swagger-typescript-api',
    // biome-ignore format: a command line
    args: (contract) => ['generate', '-p', contract, '-o', 'generated/swagger-typescript-api', '-n', 'client.ts', '--responses', '--enum-style=union'],
    says: [
      /^(?:ℹ|\[info\]) (Code generator will use the default template|try to get swagger by path|start generating)/,
      /^(?:✔|\[success\]) api file "client.ts" created in /,
    ],
    // It tells the compiler not to look; here it shall.
    afterwards: () => writeFileSync(swagger, readFileSync(swagger, 'utf8').replace('// @ts-nocheck\n', '')),
    note: 'compiled without its `@ts-nocheck`; it leaves out the parameters in headers (`Idempotency-Key`), which are added by hand; does not percent-encode what goes into a path (no username needs it)',
  },
  {
    name: 'orval',
    packages: ['orval'],
    bin: 'orval',
    args: () => ['--config', 'orval.config.ts'],
    says: [/^🍻 orval v/, /^🎉 parley - Your OpenAPI spec has been converted/],
    note: 'the `fetch` client; the last version for Node 20; does not percent-encode what goes into a path (no username needs it)',
  },
  {
    name: 'oazapfts',
    packages: ['oazapfts'],
    bin: 'oazapfts',
    args: (contract) => [contract, 'generated/oazapfts/client.ts'],
    says: [],
    note: '',
  },
  {
    name: 'openapi-zod-client',
    packages: ['openapi-zod-client', 'zod', '@zodios/core'],
    bin: 'openapi-zod-client',
    // biome-ignore format: a command line
    args: (contract) => [contract, '-o', 'generated/openapi-zod-client/client.ts', '--media-type-expr', PROBLEMS_TOO],
    says: [/^Retrieving OpenAPI document from \S+$/, /^Done generating <\S+> !$/],
    note: 'parses what it sends and what it gets; told by `--media-type-expr` that problems are JSON; counts lengths in halves of surrogate pairs, as zod does',
  },
  {
    name: 'kubb',
    packages: ['@kubb/cli', '@kubb/plugin-client', '@kubb/plugin-zod'],
    bin: 'kubb',
    args: () => ['generate', '--config', 'kubb.config.ts'],
    says: KUBB,
    note: 'with zod, so it parses what it sends and what it gets; the last version for Node 20; its `fetch` takes a problem for an answer, so another one is given to it',
  },
];

const folders = [HERE, ROOT];

export function versionOf(name: string): string {
  const file = folders.map((folder) => join(folder, 'node_modules', name, 'package.json')).find(existsSync);
  if (!file) throw new Error(`${name} is not installed`);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

/** Runs a command of the one or the other package; answers all that it said, line by line. */
export function run(bin: string, args: string[], env = {}): Promise<{ ok: boolean; lines: string[] }> {
  const file = folders.map((folder) => join(folder, 'node_modules/.bin', bin)).find(existsSync);
  if (!file) throw new Error(`${bin} is not installed`);
  const quiet = { DO_NOT_TRACK: '1', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true', REDOCLY_TELEMETRY: 'off' };
  return new Promise((done) => {
    const options = { cwd: HERE, env: { ...process.env, ...quiet, ...env }, timeout: 90_000 };
    execFile(file, args, options, (error, stdout, stderr) => {
      const lines = stripVTControlCharacters(`${stdout}\n${stderr}`)
        .split('\n')
        .map((line) => line.trim());
      done({ ok: error === null, lines: lines.filter(Boolean) });
    });
  });
}

/** Answers what went wrong, and every line that was not expected. */
export async function generate(generator: Generator, contract: string): Promise<string[]> {
  const folder = join(GENERATED, generator.name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const { ok, lines } = await run(generator.bin, generator.args(contract), { CONTRACT: contract });
  if (!ok) return [`${generator.bin} failed`, ...lines];
  generator.afterwards?.();
  const unexpected = lines.filter((line) => !generator.says.some((pattern) => pattern.test(line)));
  return [...unexpected, ...(generator.finds?.() ?? [])];
}

/** What the compiler has against each: errors in what was generated, or in how it is used. */
export async function compile(): Promise<Map<string, string[]>> {
  const { ok, lines } = await run('tsc', ['-p', '.', '--pretty', 'false']);
  const faults = new Map<string, string[]>(generators.map(({ name }) => [name, []]));
  const placed = lines.filter((line) => line.includes('error TS'));
  for (const line of placed) {
    const name = /^(?:generated|clients|readers)\/([\w-]+)/.exec(line)?.[1] ?? '';
    const owner = generators.find((generator) => name.startsWith(generator.name))?.name;
    if (!owner) throw new Error(`this folder does not compile: ${line}`);
    faults.get(owner)!.push(line);
  }
  if (!ok && placed.length === 0) throw new Error(`tsc failed: ${lines.join('\n')}`);
  return faults;
}
