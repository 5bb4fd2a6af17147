/**
 * A session in a file, for who wants to stay logged in. Whoever can read the file is that user, so it is for its owner
 * alone (0600), and is only made when the person says so. Several programs may share it: a refresh token serves once,
 * so they take turns under a lock file. A lock whose holder died is taken over.
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
import type { Lock, Session, SessionStorage } from '../client/index.ts';

export type Keeper = { file: string; storage: SessionStorage; lock: Lock };

/** Longer than a refresh takes at most. */
const LOCK_DEAD_AFTER_MS = 30_000;
const LOCK_LOOK_MS = 50;

/** One file per server. */
export function createKeeper(stateDir: string, server: string): Keeper {
  const { host, pathname } = new URL(server);
  const name = `${host}${pathname}`.replace(/[^\w.-]+/g, '_').replace(/_$/, '');
  const file = join(stateDir, 'parley', `session-${name}.json`);
  return { file, storage: storageIn(file), lock: (_, task) => locked(`${file}.lock`, task) };
}

const storageIn = (file: string): SessionStorage => ({
  get: () => read(file),
  set(session) {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    const draft = `${file}.${randomBytes(6).toString('hex')}`;
    writeFileSync(draft, JSON.stringify(session), { mode: 0o600, flag: 'wx' });
    chmodSync(draft, 0o600); // whatever the umask says
    renameSync(draft, file);
  },
  clear: () => rmSync(file, { force: true }),
});

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
