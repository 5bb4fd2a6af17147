// A guard that was moved or renamed must not turn its mutant into a run without a mutation.
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { built } from '../kit/built.ts';
import { MUTANTS, patched } from './mutants.ts';

const root = join(built(''), '..');

test.each(MUTANTS)('the mutant applies to the build: $guard', ({ guard, patches }) => {
  for (const patch of patches) expect(patched(root, guard, patch)).not.toContain(patch[1]);
});
