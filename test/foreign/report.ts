/** docs/reference/foreign-tools.md, and the same for whoever looks on. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Checker } from './checkers.ts';
import { type Generator, ROOT, versionOf } from './generators.ts';
import type { Reader } from './tools.ts';

export type Faults = string[];
export type ClientResult = { generator: Generator; warnings: Faults; strict: Faults; conversation: Faults };
export type CheckResult = { checker: Checker; faults: Faults | undefined };
/** Nothing where another test has it. */
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
    faults === undefined ? 'a test of its own' : word(faults),
    reader.note,
  ]);

const checkRow = ({ checker, faults }: CheckResult): string =>
  row([
    `${checker.name} ${checker.version()}`,
    faults === undefined ? '**left out**' : word(faults),
    checker.note,
  ]);

export function table(checks: CheckResult[], clients: ClientResult[], streams: StreamResult[]): string {
  return `# Foreign tools

What tools that nobody here wrote make of the contract and of the stream. \`npm run foreign\` installs them, at the exact
versions of [test/foreign/](../../test/foreign/), runs all of it against a real Parley and writes this page.

## Readers of openapi.yaml

The contract is YAML that 1.1 and 1.2 read alike, and its regular expressions are of what ECMAScript, Python, Go and Java have
in common ([decision 026](../decisions/026-portable-contract.md)).

| reader | content | how |
|---|---|---|
${checks.map(checkRow).join('\n')}

## Clients, generated from openapi.yaml

*Strict*: what was generated, and its use, compile with \`strict\` and \`noUncheckedIndexedAccess\`, and its types fit those of
the contract: an \`any\` or a mere \`string\` in place of a closed set does not. *Conversation*: two people register, log in, write to one another and to
everybody, read history, conversations and mailbox, and acknowledge; an idempotency key serves once; a wrong password and
other refusals arrive as problems with their code.

| generator | warnings | strict | conversation | remarks |
|---|---|---|---|---|
${clients.map(clientRow).join('\n')}

## Readers of the stream

*Receives and resumes*: the connection is dropped, then the node is stopped and started again. What is said to the reader and
to everybody meanwhile is there when it is back, each message once, in order, without a \`gap\`. *Authorization*: a header, or a
one-time ticket for each connection, where no header can be sent.

| reader | authorization | receives and resumes | how |
|---|---|---|---|
${streams.map(streamRow).join('\n')}
`;
}

export const write = (text: string): void => writeFileSync(FILE, text);
