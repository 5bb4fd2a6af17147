/**
 * Stores the session in a file, for users who stay logged in. Anyone who can read the file can act as the user, so only
 * its owner can (0600), and it is created only with the user's consent. Several processes may share it: a refresh token
 * is valid once, so they take turns with a lock file. A stale lock is taken over.
 *
 * A second file stores the device tokens. They are not credentials, and they outlive a logout.
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
import type { DeviceStorage, Lock, Session, SessionStorage } from '@parley-chat/client';

export type SessionFile = { file: string; storage: SessionStorage; devices: DeviceStorage; lock: Lock };

/** Longer than a refresh can take. */
const LOCK_STALE_AFTER_MS = 30_000;
const LOCK_POLL_MS = 50;
/** Device tokens are stored for this many accounts. */
const MAX_DEVICES = 16;

/** Each server has its own files. */
export function createSessionFile(stateDir: string, server: string): SessionFile {
  const { host, pathname } = new URL(server);
  const name = `${host}${pathname}`.replace(/[^\w.-]+/g, '_').replace(/_$/, '');
  const file = join(stateDir, 'parley', `session-${name}.json`);
  const devices = devicesIn(join(stateDir, 'parley', `devices-${name}.json`));
  return { file, storage: storageIn(file), devices, lock: (_, task) => withLock(`${file}.lock`, task) };
}

const storageIn = (file: string): SessionStorage => ({
  get: () => readSession(file),
  set: (session) => writePrivately(file, session),
  clear: () => rmSync(file, { force: true }),
});

/** The most recently used account comes last. */
const devicesIn = (file: string): DeviceStorage => ({
  get: (username) => readDevices(file).find(([name]) => name === username)?.[1],
  set: (username, deviceToken) =>
    writePrivately(
      file,
      [...readDevices(file).filter(([name]) => name !== username), [username, deviceToken]].slice(
        -MAX_DEVICES,
      ),
    ),
});

/** Writes atomically, readable by the owner only. */
function writePrivately(file: string, value: unknown): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const temporary = `${file}.${randomBytes(6).toString('hex')}`;
  writeFileSync(temporary, JSON.stringify(value), { mode: 0o600, flag: 'wx' });
  chmodSync(temporary, 0o600); // the umask may have removed bits
  renameSync(temporary, file);
}

function readDevices(file: string): [username: string, deviceToken: string][] {
  try {
    const stored: unknown = JSON.parse(readFileSync(file, 'utf8'));
    const isPair = (each: unknown): each is [string, string] =>
      Array.isArray(each) && each.length === 2 && each.every((one) => typeof one === 'string');
    return Array.isArray(stored) ? stored.filter(isPair) : [];
  } catch {
    return [];
  }
}

/** Returns undefined if the file is missing or invalid. */
function readSession(file: string): Session | undefined {
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

async function withLock<T>(path: string, task: () => Promise<T>): Promise<T> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  while (!tryLock(path)) await new Promise((resolve) => setTimeout(resolve, LOCK_POLL_MS));
  try {
    return await task();
  } finally {
    rmSync(path, { force: true });
  }
}

function tryLock(path: string): boolean {
  try {
    closeSync(openSync(path, 'wx', 0o600));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const { mtimeMs } = statSync(path, { throwIfNoEntry: false }) ?? { mtimeMs: Date.now() };
  if (Date.now() - mtimeMs > LOCK_STALE_AFTER_MS) rmSync(path, { force: true });
  return false;
}
