/**
 * Files with signing secrets: the one that Parley creates in its data directory, and the one that JWT_SECRET_FILE names.
 * Error messages never contain a secret.
 */
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import { InvalidSecret, newSecret, parseSecrets, type Secrets } from './secrets.ts';

const MAX_FILE_BYTES = 65_536;
const TEMPORARY_FILE = /^jwt-secret\.[0-9a-f]{16}\.tmp$/;
const ABANDONED_AFTER_MS = 60_000;

/** The secrets beside the data, so that sessions survive a restart as accounts do. Creates the file if there is none. */
export function loadOrCreateSecrets(dataDir: string, warn: (message: string) => void): Secrets {
  const file = join(dataDir, 'jwt-secret');
  try {
    fs.mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    const read = () => readFile(file, (descriptor, status) => restrictAccess(descriptor, status, file, warn));
    const text = read() ?? create(file) ?? read();
    if (text === undefined) throw new Error('it was removed while Parley was starting');
    return parseSecrets(text);
  } catch (error) {
    const { message } = error as Error;
    if (!(error instanceof InvalidSecret))
      throw new Error(`the secret in ${file} cannot be used: ${message}`);
    const remedy =
      'restore it from a backup, or remove the file and restart: Parley creates a new one, and clients stay logged in through their refresh tokens';
    throw new Error(`the secret in ${file} is damaged: it must be ${message}; ${remedy}`);
  }
}

/**
 * The secrets in a file that the operator provides. Its mode is the operator's choice: Docker and Kubernetes mount secrets
 * readable by all users of the container. Throws InvalidSecret, whose message contains neither the content nor the
 * path, because the path may be the secret itself by mistake.
 */
export function readSecretFile(file: string): Secrets {
  let text: string | undefined;
  try {
    text = readFile(file);
  } catch (error) {
    if (error instanceof InvalidSecret) throw new InvalidSecret('the path of a text file');
    const { code, message } = error as NodeJS.ErrnoException;
    throw new InvalidSecret(`the path of a readable file (${code ?? message})`);
  }
  if (text === undefined) throw new InvalidSecret('the path of an existing file');
  try {
    return parseSecrets(text);
  } catch (error) {
    throw new InvalidSecret(`the path of a file whose content is ${(error as InvalidSecret).message}`);
  }
}

/** Returns undefined if there is no file. A link is followed (a mounted secret, for example), but must lead to a file. */
function readFile(
  file: string,
  checkAccess: (descriptor: number, status: fs.Stats) => void = () => {},
): string | undefined {
  let descriptor: number;
  try {
    descriptor = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    if (isMissing && !fs.lstatSync(file, { throwIfNoEntry: false })) return undefined;
    throw isMissing ? new Error('it is a broken link') : error;
  }
  try {
    const status = fs.fstatSync(descriptor);
    if (!status.isFile()) throw new Error('it is not a file');
    if (status.size > MAX_FILE_BYTES) throw new Error('it is too large to be a secret');
    checkAccess(descriptor, status);
    return new TextDecoder('utf-8', { fatal: true }).decode(fs.readFileSync(descriptor));
  } catch (error) {
    throw error instanceof TypeError ? new InvalidSecret('text') : error;
  } finally {
    fs.closeSync(descriptor);
  }
}

/** Leaves a file of another owner alone if only a group may read it: it was mounted that way on purpose. */
function restrictAccess(
  descriptor: number,
  { mode, uid }: fs.Stats,
  file: string,
  warn: (message: string) => void,
): void {
  const isOurs = uid === process.getuid?.();
  if ((mode & (isOurs ? 0o077 : 0o007)) === 0) return;
  try {
    fs.fchmodSync(descriptor, 0o600);
  } catch {
    throw new Error('other users of this machine can read it; run chmod 600 on it');
  }
  warn(
    `${file} was readable by other users of this machine; Parley restricted it to its owner. Replace the secret if one of them may have read it`,
  );
}

/** Writes the file completely or not at all. Returns undefined if another process has created it meanwhile. */
function create(file: string): string | undefined {
  const folder = dirname(file);
  const temporary = `${file}.${randomBytes(8).toString('hex')}.tmp`;
  const secret = newSecret();
  try {
    fs.writeFileSync(temporary, `${secret}\n`, { mode: 0o600, flag: 'wx', flush: true });
    publish(temporary, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return undefined;
    throw error;
  } finally {
    fs.rmSync(temporary, { force: true });
    removeAbandoned(folder);
  }
  const descriptor = fs.openSync(folder, 'r');
  fs.fsyncSync(descriptor);
  fs.closeSync(descriptor);
  return secret;
}

const NO_LINKS = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'];

/** A hard link never replaces a file. Without links, the lock on the data directory keeps other processes away. */
function publish(temporary: string, file: string): void {
  try {
    fs.linkSync(temporary, file);
  } catch (error) {
    if (!NO_LINKS.includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    fs.renameSync(temporary, file);
  }
}

/** Removes temporary files of processes that were killed before they finished. */
function removeAbandoned(folder: string): void {
  for (const name of fs.readdirSync(folder).filter((each) => TEMPORARY_FILE.test(each))) {
    const path = join(folder, name);
    const { mtimeMs } = fs.statSync(path, { throwIfNoEntry: false }) ?? { mtimeMs: Date.now() };
    if (Date.now() - mtimeMs > ABANDONED_AFTER_MS) fs.rmSync(path, { force: true });
  }
}
