/**
 * `npm run foreign [openapi.yaml]`: runs third-party client generators and stream readers against a real Parley. Installs them
 * if necessary, prints the results and writes docs/reference/foreign-tools.md. With a contract other than Parley's own it only prints.
 *
 * Finishes within five minutes; exits with 1 if anything fails.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Connect } from './calls.ts';
import { checkers } from './checkers.ts';
import { converse } from './conversation.ts';
import { compile, generate, generators, HERE, ROOT } from './generators.ts';
import {
  type CheckResult,
  type ClientResult,
  type Faults,
  type StreamResult,
  table,
  write,
} from './report.ts';
import { type Servers, startServers } from './servers.ts';
import { type Reading, readStreams } from './streams.ts';
import { readers } from './tools.ts';

const WITHIN_MS = 290_000;

const OWN_CONTRACT = join(ROOT, 'openapi.yaml');

function install(): void {
  const [lockFile, installed] = ['package-lock.json', 'node_modules/.package-lock.json'].map((file) =>
    join(HERE, file),
  );
  if (existsSync(installed!) && statSync(installed!).mtimeMs >= statSync(lockFile!).mtimeMs) return;
  execFileSync('npm', ['ci', '--no-audit', '--no-fund'], { cwd: HERE, stdio: 'inherit', timeout: 120_000 });
}

async function tryConversation(name: string, url: string): Promise<Faults> {
  try {
    const { connect } = (await import(`./clients/${name}.ts`)) as { connect: Connect };
    await converse(connect, url, name);
    return [];
  } catch (error) {
    return [String(error instanceof Error ? error.stack : error)];
  }
}

async function tryClients(contract: string): Promise<Omit<ClientResult, 'conversation'>[]> {
  // Sequentially: each keeps a core busy and has a time limit.
  const warnings: Faults[] = [];
  for (const generator of generators) warnings.push(await generate(generator, contract));
  const strict = await compile();
  return generators.map((generator, index) => ({
    generator,
    warnings: warnings[index]!,
    strict: strict.get(generator.name)!,
  }));
}

async function tryCheckers(contract: string): Promise<CheckResult[]> {
  const faults = await Promise.all(checkers.map(({ check }) => check(contract)));
  return checkers.map((checker, index) => ({ checker, faults: faults[index] }));
}

async function tryReaders(servers: Servers): Promise<StreamResult[]> {
  const readings = readers.flatMap(({ name, listen }) => (listen ? [{ name, listen }] : []));
  const loaded: Reading[] = [];
  for (const { name, listen } of readings) loaded.push({ name, listen: await listen() });
  const faults = await readStreams(servers, loaded);
  return readers.map((reader) => ({ reader, faults: faults.get(reader.name) }));
}

async function main(): Promise<number> {
  const contract = resolve(process.argv[2] ?? OWN_CONTRACT);
  install();
  const checks = await tryCheckers(contract);
  const generated = await tryClients(contract);
  const servers = await startServers();
  const clients: ClientResult[] = [];
  // Sequentially: each reads the newest broadcast.
  for (const each of generated) {
    clients.push({ ...each, conversation: await tryConversation(each.generator.name, servers.backUrl) });
  }
  const streams = await tryReaders(servers);
  await servers.stop();

  const text = table(checks, clients, streams);
  process.stdout.write(`${text}\n`);
  if (contract === OWN_CONTRACT) write(text);
  const faults = [
    ...checks.flatMap(({ checker, faults = [] }) => label(checker.name, 'contract', faults)),
    ...clients.flatMap(({ generator: { name }, warnings, strict, conversation }) =>
      Object.entries({ warnings, strict, conversation }).flatMap(([what, lines]) => label(name, what, lines)),
    ),
    ...streams.flatMap(({ reader, faults = [] }) => label(reader.name, 'stream', faults)),
  ];
  for (const line of faults) process.stderr.write(`${line}\n`);
  return faults.length === 0 ? 0 : 1;
}

const label = (name: string, what: string, faults: Faults): Faults =>
  faults.map((line) => `${name}, ${what}: ${line}`);

setTimeout(() => {
  process.stderr.write(`foreign: did not finish within ${WITHIN_MS / 1_000} s\n`);
  process.exit(1);
}, WITHIN_MS).unref();

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`foreign: ${error instanceof Error ? error.stack : String(error)}\n`);
    process.exit(1);
  },
);
