// docs/reference/performance.md shows what was measured.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { written } from '../../bench/document.ts';

const { text, rendered, drawn, folder } = written();

test('the tables of docs/reference/performance.md match docs/reference/performance.json (npm run bench -- --docs)', () => {
  expect(text).toBe(rendered);
});

test('the charts match docs/reference/performance.json', () => {
  for (const [name, svg] of Object.entries(drawn)) expect(readFileSync(`${folder}${name}`, 'utf8')).toBe(svg);
});
