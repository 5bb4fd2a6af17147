// Runs all static checks in parallel, even if some fail. Prints nothing if all pass.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const scratch = mkdtempSync(join(tmpdir(), 'parley-check-'));
const generated = join(scratch, 'contract.d.ts');

/** Each package has a copy: the client does not depend on the server. */
const CONTRACT_TYPES = ['src/contract.d.ts', 'clients/sdk/src/contract.d.ts'];

/** TypeScript 7 is several times faster. openapi-typescript needs the JavaScript of 5.9. */
const TSC = '../typescript-7/bin/tsc';

const STEPS = [
  { name: 'format and lint', run: () => tool('biome', 'check', '--error-on-warnings', '.') },
  { name: 'types', run: () => tool(TSC, '--noEmit', '-p', '.') },
  { name: 'types in a browser', run: () => tool(TSC, '--noEmit', '-p', 'clients/web') },
  { name: 'contract', run: () => tool('redocly', 'lint', 'openapi.yaml') },
  { name: 'contract in other languages', run: () => tool('tsx', 'scripts/contract-check.ts') },
  { name: 'contract.d.ts', run: contractTypes },
  { name: 'prose', run: () => tool('tsx', 'scripts/prose-check.mjs') },
];

/** The committed types must match openapi.yaml. */
async function contractTypes() {
  const failure = await tool('openapi-typescript', 'openapi.yaml', '-o', generated);
  if (failure) return failure;
  const expected = readFileSync(generated, 'utf8');
  const stale = CONTRACT_TYPES.filter((file) => readFileSync(file, 'utf8') !== expected);
  return stale.map((file) => `${file} does not match openapi.yaml. Run: npm run contract`).join('\n');
}

/** Resolves with the output of a failed tool, or with an empty string if it succeeded. */
function tool(name, ...args) {
  return new Promise((done) => {
    // By default Redocly checks the package registry for updates and sends telemetry.
    const env = { ...process.env, REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true', REDOCLY_TELEMETRY: 'off' };
    const child = spawn(join('node_modules', '.bin', name), args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        output += text;
      });
    }
    child.on('error', (error) => done(`${error.message}: run npm ci first`));
    child.on('close', (code, signal) => {
      if (code === 0) process.stderr.write(output.match(/^\*\*\* LEFT OUT.*\n/m)?.[0] ?? '');
      done(code === 0 ? '' : output.trim() || `${name} exited with ${signal ?? code}`);
    });
  });
}

const outputs = await Promise.all(STEPS.map(({ run }) => run()));
rmSync(scratch, { recursive: true });
const failed = STEPS.map(({ name }, index) => ({ name, output: outputs[index] })).filter(
  ({ output }) => output !== '',
);
for (const { name, output } of failed) process.stderr.write(`\n--- ${name}\n${output}\n`);
if (failed.length > 0) {
  process.stderr.write(
    `\nFailed: ${failed.map(({ name }) => name).join(', ')} (${failed.length} of ${STEPS.length} checks)\n`,
  );
  process.exitCode = 1;
}
