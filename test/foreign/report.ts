/** Formats docs/reference/foreign-tools.md; the same text is printed. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Checker } from './checkers.ts';
import { type Generator, ROOT, versionOf } from './generators.ts';
import type { Reader } from './tools.ts';

export type Faults = string[];
export type ClientResult = { generator: Generator; warnings: Faults; strict: Faults; conversation: Faults };
export type CheckResult = { checker: Checker; faults: Faults | undefined };
/** Undefined if a separate test covers the reader. */
export type StreamResult = { reader: Reader; faults: Faults | undefined };

const FILE = join(ROOT, 'docs/reference/foreign-tools.md');

const word = (faults: Faults): string => (faults.length === 0 ? 'yes' : '**no**');
const row = (cells: string[]): string => `| ${cells.join(' | ')} |`;

const clientRow = ({ generator, warnings, strict, conversation }: ClientResult): string =>
  row([
    generator.packages.map((name) => `\`${name}\` ${versionOf(name)}`).join(', '),
    warnings.length === 0 ? 'none' : `**${warnings.length}**`,
    ...[strict, conversation].map(word),
    generator.note,
  ]);

const streamRow = ({ reader, faults }: StreamResult): string =>
  row([
    `${reader.name} ${reader.version()}`,
    reader.auth,
    faults === undefined ? 'separate test' : word(faults),
    reader.note,
  ]);

const checkRow = ({ checker, faults }: CheckResult): string =>
  row([
    `${checker.name} ${checker.version()}`,
    faults === undefined ? '**skipped**' : word(faults),
    checker.note,
  ]);

export function table(checks: CheckResult[], clients: ClientResult[], streams: StreamResult[]): string {
  return `# Third-party tools

How third-party tools handle the contract and the event stream. \`npm run foreign\` installs the exact versions pinned in
[test/foreign/](../../test/foreign/), runs them against a real Parley and writes this page.

## Parsers of openapi.yaml

YAML 1.1 and 1.2 read the contract alike, and its regular expressions use only syntax common to ECMAScript, Python, Go and
Java ([decision 026](../decisions/026-portable-contract.md)).

| tool | passes | what is checked |
|---|---|---|
${checks.map(checkRow).join('\n')}

## Clients generated from openapi.yaml

*Strict*: the generated client and the code that uses it compile with \`strict\` and \`noUncheckedIndexedAccess\`, and its types
match the contract: \`any\`, or \`string\` instead of a closed set, fails. *Conversation*: two users register, log in, send each
other messages and a broadcast, read history, conversations and mailbox, and acknowledge; a repeated idempotency key stores
nothing new; a wrong password and other errors arrive as problems with their code.

| generator | warnings | strict | conversation | remarks |
|---|---|---|---|---|
${clients.map(clientRow).join('\n')}

## Readers of the event stream

*Receives and resumes*: the connection is dropped, then the node is restarted. Direct messages and broadcasts sent meanwhile
arrive after the reader reconnects, each once, in order, without a \`gap\`. *Authorization*: a header, or a one-time ticket per
connection if the reader cannot send headers.

| reader | authorization | receives and resumes | remarks |
|---|---|---|---|
${streams.map(streamRow).join('\n')}
`;
}

export const write = (text: string): void => writeFileSync(FILE, text);
