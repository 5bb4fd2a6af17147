/** The compiled programs, which vitest.config.ts brings up to date before the tests. They start in half the time of sources. */
import { fileURLToPath } from 'node:url';

/** `file` is a path in dist/. */
export const built = (file: string): string => fileURLToPath(new URL(`../../dist/${file}`, import.meta.url));
