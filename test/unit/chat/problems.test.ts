import { describe, expect, test } from 'vitest';
import { PROBLEMS, Problem, tooMany } from '../../../src/chat/problems.ts';
import { loadContract } from '../../../src/http/openapi.ts';

type CodeSchema = { enum: string[]; description: string; 'x-problems': object };
const { document } = loadContract();
const schema = document.components['schemas']!['ProblemCode'] as CodeSchema;

describe('the code and the contract define the same problems', () => {
  test('codes, statuses and titles', () => expect(schema['x-problems']).toEqual(PROBLEMS));

  test('the enum, in the same order', () => expect(schema.enum).toEqual(Object.keys(PROBLEMS)));

  test('the documentation table matches', () => {
    const rows = [...schema.description.matchAll(/^\| `(\w+)` \| (\d{3}) \|/gm)];
    expect(rows.map(([, code, status]) => [code, Number(status)])).toEqual(
      Object.entries(PROBLEMS).map(([code, { status }]) => [code, status]),
    );
  });
});

test('rounds Retry-After up to whole seconds, in the header and in the detail', () => {
  expect(tooMany(1, 'messages').retryAfterSeconds).toBe(1);
  expect(tooMany(1, 'messages').message).toBe('Too many messages. Try again in 1 second.');
  expect(tooMany(1_001, 'messages').message).toBe('Too many messages. Try again in 2 seconds.');
  expect(tooMany(1_000, 'messages').retryAfterSeconds).toBe(1);
  expect(tooMany(1_001, 'messages').retryAfterSeconds).toBe(2);
  expect(new Problem('not_found', 'nothing here').retryAfterSeconds).toBeUndefined();
});
