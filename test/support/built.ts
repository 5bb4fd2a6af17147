/** The compiled programs, rebuilt first if the sources have changed. They start in half the time that sources take. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
let isBuilt = false;

/** `file` is a path in dist/. */
export function built(file: string): string {
  if (!isBuilt) execFileSync(process.execPath, ['scripts/build.mjs'], { cwd: ROOT, stdio: 'pipe' });
  isBuilt = true;
  return join(ROOT, 'dist', file);
}
