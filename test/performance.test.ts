// docs/reference/performance.md says what was measured, not what somebody would like to have measured.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { written } from '../bench/document.ts';

const { text, rendered, drawn, folder } = written();

test('the tables of docs/reference/performance.md are those of docs/reference/performance.json (npm run bench -- --docs)', () => {
  expect(text).toBe(rendered);
});

test('the charts are drawn from docs/reference/performance.json', () => {
  for (const [name, svg] of Object.entries(drawn)) expect(readFileSync(`${folder}${name}`, 'utf8')).toBe(svg);
});
