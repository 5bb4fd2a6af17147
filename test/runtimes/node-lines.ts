/** The Node lines that are tested. Their programs are npm packages of 120 to 150 MB, installed into .data/nodes on first use. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const NODE_LINES = ['20', '22', '24', '26'];

const folder = fileURLToPath(new URL('../../.data/nodes/', import.meta.url));

/** Returns the path of a Node program of this line, and installs the newest one if there is none. */
export function programOf(line: string): string {
  if (process.versions.node.startsWith(`${line}.`)) return process.execPath;
  const name = `node-${process.platform}-${process.arch}`; // the package that holds the program
  const prefix = join(folder, line);
  const program = join(prefix, 'node_modules', name, 'bin/node');
  if (existsSync(program)) return program;
  mkdirSync(prefix, { recursive: true });
  writeFileSync(join(prefix, 'package.json'), '{ "private": true }\n'); // else npm installs into a folder above
  const { status } = spawnSync('npm', ['install', '--silent', '--no-audit', '--no-fund', `${name}@${line}`], {
    cwd: prefix,
    stdio: 'inherit',
  });
  if (status !== 0) throw new Error(`npm cannot install ${name}@${line}`);
  return program;
}
