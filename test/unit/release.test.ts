/** The workflows and the scripts of a release: no runner of theirs is here, so what they name must at least exist. */
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const WORKFLOWS = join(ROOT, '.github/workflows');
const PACKAGES = ['.', 'clients/sdk', 'clients/cli', 'clients/web'];
const jsonIn = (folder: string, path: string) =>
  JSON.parse(readFileSync(join(folder, path, 'package.json'), 'utf8'));
const { scripts, workspaces } = jsonIn(ROOT, '.');

type Step = { uses?: string; run?: string; env?: Record<string, string> };
type Job = {
  'runs-on': string;
  'timeout-minutes': number;
  permissions?: Record<string, string>;
  steps: Step[];
};
type Workflow = {
  permissions: Record<string, string>;
  jobs: Record<string, Job>;
  on: { push: { tags?: string[] } };
};
const workflowOf = (file: string): Workflow => parse(readFileSync(join(WORKFLOWS, file), 'utf8'));

describe.each(readdirSync(WORKFLOWS))('the workflow %s', (file) => {
  const { permissions, jobs } = workflowOf(file);
  const steps = Object.values(jobs).flatMap((job) => job.steps);
  const commands = steps.flatMap(({ run }) => run ?? []);

  test('can only read, unless a job asks for more, and no job runs forever', () => {
    expect(permissions).toEqual({ contents: 'read' });
    for (const job of Object.values(jobs)) expect(job['timeout-minutes']).toBeGreaterThan(0);
  });

  test('each step either uses an action of a fixed version or runs a command', () => {
    for (const { uses, run } of steps) expect(run ?? uses).toMatch(run ? /\S/ : /^[\w-]+\/[\w-]+@v\d+$/);
  });

  test('the scripts and files that its commands name exist', () => {
    const names = commands.flatMap((each) =>
      [...each.matchAll(/npm run (?:--silent )?([\w:]+)/g)].map(([, name]) => name!),
    );
    expect(names.filter((name) => !(name in scripts))).toEqual([]);
    const files = commands.flatMap((each) => each.match(/(?<![\w/])(scripts|\.ci)\/[\w.-]+/g) ?? []);
    expect(names.length + files.length).toBeGreaterThan(0);
    expect(files.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });
});

test('a tag publishes both packages with provenance, after the checks', () => {
  const { on, jobs } = workflowOf('release.yml');
  const { permissions, steps } = jobs['publish']!;
  expect(on).toEqual({ push: { tags: ['v*'] } });
  expect(permissions).toMatchObject({ 'id-token': 'write' });
  const publish = steps.findIndex(({ run }) => run === 'npm run release:publish');
  expect(steps[publish]!.env).toMatchObject({ NPM_CONFIG_PROVENANCE: 'true' });
  expect(steps.findIndex(({ run }) => run === 'npm run check')).toBeLessThan(publish);
  const published = scripts['release:publish'].split(' && ');
  expect(published.every((command: string) => command.startsWith('npm publish --access public'))).toBe(true);
  expect(published.join()).toContain('--workspace @parley-chat/client');
  expect(published).toHaveLength(2);
});

test('release:version raises all packages to one version, and changes nothing else in package.json', () => {
  const folder = mkdtempSync(join(tmpdir(), 'parley-release-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const path of [
    ...PACKAGES.map((each) => join(each, 'package.json')),
    'scripts/changeset.mjs',
    '.changeset/config.json',
  ])
    cpSync(join(ROOT, path), join(folder, path));
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  writeFileSync(
    join(folder, '.changeset/a.md'),
    '---\n"@parley-chat/client": minor\n---\n\nClient: a new option.\n',
  );
  const [version] = scripts['release:version'].split(' && ');
  const { status, stdout, stderr } = spawnSync('/bin/sh', ['-c', version], { cwd: folder, encoding: 'utf8' });
  expect(status, stdout + stderr).toBe(0);
  const [major, minor] = jsonIn(ROOT, '.').version.split('.');
  const next = `${major}.${Number(minor) + 1}.0`;
  expect(PACKAGES.map((path) => jsonIn(folder, path).version)).toEqual(PACKAGES.map(() => next));
  expect(jsonIn(folder, '.')).toEqual({ ...jsonIn(ROOT, '.'), version: next, workspaces });
  expect(readdirSync(join(folder, '.changeset'))).toEqual(['config.json']);
});

test('the release notes are the section of the changelog, and an unknown version is an error', () => {
  const folder = mkdtempSync(join(tmpdir(), 'parley-notes-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(
    join(folder, 'CHANGELOG.md'),
    '# Changelog\n\n## [1.1.0] - 2027-01-02\n\n- New.\n\n## [1.0.0] - 2027-01-01\n\n- Old.\n',
  );
  const notes = (version: string) =>
    spawnSync(process.execPath, [join(ROOT, 'scripts/release-notes.mjs'), version], {
      cwd: folder,
      encoding: 'utf8',
    });
  expect(notes('1.1.0').stdout).toBe('- New.\n');
  expect(notes('1.2.0').status).toBe(1);
});
