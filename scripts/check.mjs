// All checks that need no running server. Every one runs, side by side, whatever the others say; quiet when all is good.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const scratch = mkdtempSync(join(tmpdir(), 'parley-check-'));
const generated = join(scratch, 'contract.d.ts');

const STEPS = [
  { name: 'format and lint', run: () => tool('biome', 'check', '--error-on-warnings', '.') },
  { name: 'types', run: () => tool('tsc', '--noEmit', '-p', '.') },
  { name: 'types in a browser', run: () => tool('tsc', '--noEmit', '-p', 'tsconfig.browser.json') },
  { name: 'contract', run: () => tool('redocly', 'lint', 'openapi.yaml') },
  { name: 'contract elsewhere', run: () => tool('tsx', 'scripts/contract-check.ts') },
  { name: 'contract.d.ts', run: contractTypes },
];

/** The types that are committed are those that openapi.yaml gives. */
async function contractTypes() {
  const said = await tool('openapi-typescript', 'openapi.yaml', '-o', generated);
  if (said) return said;
  if (readFileSync(generated, 'utf8') === readFileSync('src/contract.d.ts', 'utf8')) return '';
  return 'src/contract.d.ts does not fit openapi.yaml. Run: npm run contract';
}

/** Resolves with nothing when the tool is content, else with what it said. */
function tool(name, ...args) {
  return new Promise((done) => {
    // Redocly asks the package registry for newer versions and reports how it is used, unless it is told not to.
    const env = { ...process.env, REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true', REDOCLY_TELEMETRY: 'off' };
    const child = spawn(join('node_modules', '.bin', name), args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const output of [child.stdout, child.stderr]) {
      output.setEncoding('utf8').on('data', (text) => {
        said += text;
      });
    }
    child.on('error', (error) => done(`${error.message}: run npm ci first`));
    child.on('close', (code, signal) => {
      if (code === 0) process.stderr.write(said.match(/^\*\*\* LEFT OUT.*\n/m)?.[0] ?? '');
      done(code === 0 ? '' : said.trim() || `${name} ended with ${signal ?? code}`);
    });
  });
}

const answers = await Promise.all(STEPS.map(({ run }) => run()));
rmSync(scratch, { recursive: true });
const failed = STEPS.map(({ name }, index) => ({ name, said: answers[index] })).filter(
  ({ said }) => said !== '',
);
for (const { name, said } of failed) process.stderr.write(`\n--- ${name}\n${said}\n`);
if (failed.length > 0) {
  process.stderr.write(
    `\nFailed: ${failed.map(({ name }) => name).join(', ')} (${failed.length} of ${STEPS.length} checks)\n`,
  );
  process.exitCode = 1;
}
