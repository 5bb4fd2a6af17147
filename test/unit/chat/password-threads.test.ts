import { readdirSync, readFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import { expect, test, vi } from 'vitest';
import { createPasswordThreads } from '../../../src/chat/password-threads.ts';
import { createPasswords } from '../../../src/chat/passwords.ts';

/** The priority of each thread of this process, according to Linux: 0 is normal, 5 is lower. */
const priorities = (): number[] =>
  readdirSync('/proc/self/task').map((id) => {
    const stat = readFileSync(`/proc/self/task/${id}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')')).split(' ')[17]);
  });

const onLinux = test.runIf(process.platform === 'linux');

onLinux('password threads have a lower priority than the rest of the process', async () => {
  const before = getPriority();
  const threads = createPasswordThreads();
  const countLower = () => priorities().filter((priority) => priority === 5).length;
  const countBefore = countLower();
  await Promise.all([threads.hash('correct horse', 4), threads.hash('correct horse', 4)]);
  expect(countLower() - countBefore).toBe(2);
  expect(getPriority()).toBe(before);
});

onLinux('an idle thread is used again instead of starting another one', async () => {
  const count = () => readdirSync('/proc/self/task').length;
  const threads = createPasswordThreads();
  const hash = await threads.hash('correct horse', 4);
  const before = count();
  for (let n = 0; n < 10; n += 1) expect(await threads.compare('correct horse', hash)).toBe(true);
  expect(count()).toBeLessThanOrEqual(before);
});

const EXITING_THREAD =
  'import { parentPort } from "node:worker_threads"; parentPort.on("message", () => process.exit())';

test('rejects a check when its thread exits', async () => {
  const threads = createPasswordThreads(
    new URL(`data:text/javascript,${encodeURIComponent(EXITING_THREAD)}`),
  );
  await expect(threads.compare('correct horse', 'a hash')).rejects.toThrow();
  await expect(threads.compare('correct horse', 'a hash')).rejects.toThrow();
});

test('reports busy when a thread fails, and runs the next check on another thread', async () => {
  const log = { error: vi.fn() };
  const threads = createPasswordThreads();
  const passwords = createPasswords({ cost: 4, workers: Number.POSITIVE_INFINITY, log, threads });
  const check = (hash: string) => {
    const place = passwords.enter({ networks: [{ key: '192.0.2.1', factor: 1 }], account: undefined });
    return passwords.matches(place, 'correct horse', { hash, isPrepared: true }).finally(() => place.leave());
  };
  const hash = await threads.hash('correct horse', 4);
  vi.spyOn(threads, 'compare').mockImplementationOnce(() => runOnFailingThread());
  const checks = [check(hash), check(hash), check(hash)];
  await expect(checks[0]).rejects.toMatchObject({ code: 'busy', retryAfterSeconds: 2 });
  expect(log.error).toHaveBeenCalledOnce();
  expect(await checks[1]).toBe(true);
  expect(await checks[2]).toBe(true);
});

/** bcrypt throws if there is no hash. */
const runOnFailingThread = () => createPasswordThreads().hash('correct horse', undefined as never) as never;
