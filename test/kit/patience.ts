/**
 * How long tests wait. Limits are written for a quiet machine and multiplied by how much slower this one was when the run
 * started (slowness.ts), so that other work on the machine does not fail a test.
 */
import { inject } from 'vitest';

declare module 'vitest' {
  interface ProvidedContext {
    slowness: number;
  }
}

/** The limit that corresponds to `ms` on a quiet machine. */
export const within = (ms: number): number => ms * inject('slowness');
