/** No function is longer than 60 lines. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { expect, test } from 'vitest';

const MAX_LINES = 60;

const ROOT = new URL('../..', import.meta.url).pathname;
const files = ['src', 'clients', 'test', 'bench', 'scripts'].flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .map((file) => `${folder}/${file}`)
    .filter(
      (file) =>
        /(?<!\.test|contract\.d)\.ts$/.test(file) && !/node_modules|\/dist\/|foreign\/generated/.test(file),
    ),
);

function longFunctionsOf(file: string): string[] {
  const source = ts.createSourceFile(
    file,
    readFileSync(join(ROOT, file), 'utf8'),
    ts.ScriptTarget.ES2023,
    true,
  );
  const found: string[] = [];
  const lineOf = (position: number) => source.getLineAndCharacterOfPosition(position).line;
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) && 'body' in node && node.body) {
      const lines = lineOf(node.end) - lineOf(node.getStart()) + 1;
      const named = node.name ?? (ts.isVariableDeclaration(node.parent) ? node.parent.name : undefined);
      if (lines > MAX_LINES) found.push(`${file} ${named?.getText() ?? 'anonymous'}`);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

test('no function is longer than 60 lines', () => {
  expect(files.length).toBeGreaterThan(200);
  expect(files.flatMap(longFunctionsOf)).toEqual([]);
});
