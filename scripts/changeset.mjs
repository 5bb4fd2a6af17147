// Runs changesets with the given arguments. It sees only workspaces, but the server is the package at the root: the root is
// listed as a workspace while changesets runs. (Permanently, npm would link the root into its own node_modules.)
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const read = () => JSON.parse(readFileSync('package.json', 'utf8'));
const write = (content) => writeFileSync('package.json', `${JSON.stringify(content, null, 2)}\n`);

const { workspaces } = read();
write({ ...read(), workspaces: ['.', ...workspaces] });
try {
  const program = createRequire(import.meta.url).resolve('@changesets/cli/bin.js');
  const { status } = spawnSync(process.execPath, [program, ...process.argv.slice(2)], { stdio: 'inherit' });
  process.exitCode = status ?? 1;
} finally {
  write({ ...read(), workspaces });
}
