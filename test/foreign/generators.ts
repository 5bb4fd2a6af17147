/**
 * Third-party client generators and how to run them. Every output line that is not expected counts as a warning. Redocly and
 * openapi-typescript are development dependencies of Parley; the others are installed in this folder.
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
  /** Output lines of a successful run. */
  expected: RegExp[];
  /** Returns findings that it writes to a file instead of the output. */
  findings?: () => string[];
  /** Runs after the generator, before the compiler. */
  postprocess?: () => void;
  note: string;
};

const swagger = join(GENERATED, 'swagger-typescript-api/client.ts');
const report = join(GENERATED, 'redocly/report.json');

const JSON_TYPES = "mediaType === 'application/json' || mediaType === 'application/problem+json'";
/** One line per step, and a summary. */
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
    expected: [/^✨ openapi-typescript [\d.]+$/, /^🚀 \S+ → \S+ \[[\d.]+m?s\]$/],
    note: '',
  },
  {
    name: 'redocly',
    packages: ['@redocly/cli'],
    bin: 'redocly',
    // biome-ignore format: a command line
    args: (contract) => ['generate-client', contract, '--output', 'generated/redocly/client.ts', '--error-mode', 'result', '--import-ext', 'ts', '--report', report],
    // The box announces that the next version needs a newer Node.
    expected: [/^[╔║╚]/, /^Generating client for \S+?\.\.\.$/, /^Client successfully generated: 1 file /],
    findings: () => {
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
    expected: [/^@hey-api\/openapi-ts v/, /^\[Job 1\] (⏳ Generating from 1 input:|✅ Done!|\s*\[1\] )/],
    note: 'the last version for Node 20',
  },
  {
    name: 'swagger-typescript-api',
    packages: ['swagger-typescript-api'],
    bin: 'swagger-typescript-api',
    // biome-ignore format: a command line
    args: (contract) => ['generate', '-p', contract, '-o', 'generated/swagger-typescript-api', '-n', 'client.ts', '--responses', '--enum-style=union'],
    expected: [
      /^(?:ℹ|\[info\]) (Code generator will use the default template|try to get swagger by path|start generating)/,
      /^(?:✔|\[success\]) api file "client.ts" created in /,
    ],
    // The generated file disables type checking; enable it.
    postprocess: () => writeFileSync(swagger, readFileSync(swagger, 'utf8').replace('// @ts-nocheck\n', '')),
    note: 'compiled without its `@ts-nocheck`; it ignores header parameters (`Idempotency-Key`), which are added by hand; it does not percent-encode path parameters (no username needs it)',
  },
  {
    name: 'orval',
    packages: ['orval'],
    bin: 'orval',
    args: () => ['--config', 'orval.config.ts'],
    expected: [/^🍻 orval v/, /^🎉 parley - Your OpenAPI spec has been converted/],
    note: 'the `fetch` client; the last version for Node 20; `contentType` excludes `text/plain`, because with two media types it sends no Content-Type; it does not percent-encode path parameters (no username needs it)',
  },
  {
    name: 'oazapfts',
    packages: ['oazapfts'],
    bin: 'oazapfts',
    args: (contract) => [contract, 'generated/oazapfts/client.ts'],
    expected: [],
    note: '',
  },
  {
    name: 'openapi-zod-client',
    packages: ['openapi-zod-client', 'zod', '@zodios/core'],
    bin: 'openapi-zod-client',
    // biome-ignore format: a command line
    args: (contract) => [contract, '-o', 'generated/openapi-zod-client/client.ts', '--media-type-expr', JSON_TYPES],
    expected: [/^Retrieving OpenAPI document from \S+$/, /^Done generating <\S+> !$/],
    note: 'validates requests and responses; `--media-type-expr` marks problems as JSON; counts lengths in UTF-16 code units, as zod does',
  },
  {
    name: 'kubb',
    packages: ['@kubb/cli', '@kubb/plugin-client', '@kubb/plugin-zod'],
    bin: 'kubb',
    args: () => ['generate', '--config', 'kubb.config.ts'],
    expected: KUBB,
    note: 'validates requests and responses with zod; the last version for Node 20; its `fetch` returns a problem as data, so a custom one is used',
  },
];

const folders = [HERE, ROOT];

export function versionOf(name: string): string {
  const file = folders.map((folder) => join(folder, 'node_modules', name, 'package.json')).find(existsSync);
  if (!file) throw new Error(`${name} is not installed`);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

/** Runs a command of either package and returns its output as lines. */
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

/** Returns errors and all unexpected output lines. */
export async function generate(generator: Generator, contract: string): Promise<string[]> {
  const folder = join(GENERATED, generator.name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const { ok, lines } = await run(generator.bin, generator.args(contract), { CONTRACT: contract });
  if (!ok) return [`${generator.bin} failed`, ...lines];
  generator.postprocess?.();
  const unexpected = lines.filter((line) => !generator.expected.some((pattern) => pattern.test(line)));
  return [...unexpected, ...(generator.findings?.() ?? [])];
}

/** Returns the compiler errors of each generator, in its generated code and in the code that uses it. */
export async function compile(): Promise<Map<string, string[]>> {
  const { ok, lines } = await run('tsc', ['-p', '.', '--pretty', 'false']);
  const faults = new Map<string, string[]>(generators.map(({ name }) => [name, []]));
  const errors = lines.filter((line) => line.includes('error TS'));
  for (const line of errors) {
    const name = /^(?:generated|clients|readers)\/([\w-]+)/.exec(line)?.[1] ?? '';
    const owner = generators.find((generator) => name.startsWith(generator.name))?.name;
    if (!owner) throw new Error(`test/foreign does not compile: ${line}`);
    faults.get(owner)!.push(line);
  }
  if (!ok && errors.length === 0) throw new Error(`tsc failed: ${lines.join('\n')}`);
  return faults;
}
