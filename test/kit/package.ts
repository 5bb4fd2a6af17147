/** The published packages: packed as for the registry, and installed into empty projects. */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export type Installed = {
  tarball: string;
  /** The folder of a project that has the package as its only dependency. */
  project: string;
  remove: () => void;
};

/** `folder` is a path below the root. Packages come from npm's cache if they are in it. */
export async function installPacked(folder: string): Promise<Installed> {
  const scratch = mkdtempSync(join(tmpdir(), 'parley-package-'));
  const project = join(scratch, 'project');
  mkdirSync(project);
  writeFileSync(join(project, 'package.json'), '{ "private": true, "type": "module" }');
  const packing = await run('npm', ['pack', '--silent', '--pack-destination', scratch], {
    cwd: join(ROOT, folder),
  });
  const tarball = join(scratch, packing.stdout.trim().split('\n').at(-1)!);
  await run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', '--silent', tarball], {
    cwd: project,
  });
  return { tarball, project, remove: () => rmSync(scratch, { recursive: true, force: true }) };
}
