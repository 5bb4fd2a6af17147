/**
 * The short form of `npm run torture`, for every change: faults that cost nothing, two at a time, and a crash that loses
 * the last second. It runs as a process of its own, as by hand; what it prints is shown when it fails.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';

const SECONDS = 20;

async function torture(...args: string[]): Promise<{ code: number | null; said: string }> {
  const child = spawn(process.execPath, ['--import', 'tsx', 'test/fault/torture.ts', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGTERM')); // it ends what it has started
  let said = '';
  for (const output of [child.stdout, child.stderr])
    output.setEncoding('utf8').on('data', (text) => {
      said += text;
    });
  const [code] = await once(child, 'exit');
  return { code, said };
}

test('under faults nothing acknowledged is lost, doubled or out of order, or readers are told', async () => {
  const { code, said } = await torture('--fault', 'mixed,kill-redis-everysec', '--seconds', String(SECONDS));
  expect(said).toMatch(/^mixed, seed 1: [1-9]\d* blows, 0 violations, [1-9]\d{2,} ok/m);
  expect(said).toMatch(/^kill-redis-everysec, seed 1: [1-9]\d* blows, 0 violations, [1-9]\d{2,} ok/m);
  expect(code, said).toBe(0);
}, 170_000);
