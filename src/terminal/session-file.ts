/**
 * A session in a file, for who wants to stay logged in. Whoever can read the file is that user, so it is for its owner
 * alone (0600), and is only made when the person says so. Several programs may share it: a refresh token serves once,
 * so they take turns under a lock file. A lock whose holder died is taken over.
 *
 * Beside it, the tokens by which the server knows this device again. They let nobody in, and stay after a logout.
 */
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { DeviceStorage, Lock, Session, SessionStorage } from '../client/index.ts';

export type SessionFile = { file: string; storage: SessionStorage; devices: DeviceStorage; lock: Lock };

/** Longer than a refresh takes at most. */
const LOCK_DEAD_AFTER_MS = 30_000;
const LOCK_LOOK_MS = 50;
/** Of how many accounts this device's token is kept. */
const DEVICES = 16;

/** One file per server. */
export function createSessionFile(stateDir: string, server: string): SessionFile {
  const { host, pathname } = new URL(server);
  const name = `${host}${pathname}`.replace(/[^\w.-]+/g, '_').replace(/_$/, '');
  const file = join(stateDir, 'parley', `session-${name}.json`);
  const devices = devicesIn(join(stateDir, 'parley', `devices-${name}.json`));
  return { file, storage: storageIn(file), devices, lock: (_, task) => locked(`${file}.lock`, task) };
}

const storageIn = (file: string): SessionStorage => ({
  get: () => read(file),
  set: (session) => write(file, session),
  clear: () => rmSync(file, { force: true }),
});

/** Newest last. */
const devicesIn = (file: string): DeviceStorage => ({
  get: (username) => readDevices(file).find(([name]) => name === username)?.[1],
  set: (username, deviceToken) =>
    write(
      file,
      [...readDevices(file).filter(([name]) => name !== username), [username, deviceToken]].slice(-DEVICES),
    ),
});

/** As a whole, and for its owner alone. */
function write(file: string, value: unknown): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const draft = `${file}.${randomBytes(6).toString('hex')}`;
  writeFileSync(draft, JSON.stringify(value), { mode: 0o600, flag: 'wx' });
  chmodSync(draft, 0o600); // whatever the umask says
  renameSync(draft, file);
}

function readDevices(file: string): [username: string, deviceToken: string][] {
  try {
    const kept: unknown = JSON.parse(readFileSync(file, 'utf8'));
    const isPair = (each: unknown): each is [string, string] =>
      Array.isArray(each) && each.length === 2 && each.every((one) => typeof one === 'string');
    return Array.isArray(kept) ? kept.filter(isPair) : [];
  } catch {
    return [];
  }
}

/** What cannot be read is no session. */
function read(file: string): Session | undefined {
  try {
    const session: Partial<Session> | null = JSON.parse(readFileSync(file, 'utf8'));
    const isSession = [session?.id, session?.username, session?.refreshToken].every(
      (each) => typeof each === 'string',
    );
    return isSession ? (session as Session) : undefined;
  } catch {
    return undefined;
  }
}

async function locked<T>(path: string, task: () => Promise<T>): Promise<T> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  while (!take(path)) await new Promise((resolve) => setTimeout(resolve, LOCK_LOOK_MS));
  try {
    return await task();
  } finally {
    rmSync(path, { force: true });
  }
}

function take(path: string): boolean {
  try {
    closeSync(openSync(path, 'wx', 0o600));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const { mtimeMs } = statSync(path, { throwIfNoEntry: false }) ?? { mtimeMs: Date.now() };
  if (Date.now() - mtimeMs > LOCK_DEAD_AFTER_MS) rmSync(path, { force: true });
  return false;
}
