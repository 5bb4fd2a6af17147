/**
 * Secrets that sign: the one function that reads and checks them, wherever they come from (the environment, or the file
 * in the data directory), and the writing of that file. A list: the first signs, all verify, so that a secret can be
 * replaced without logging anybody out. No error repeats a secret.
 */
import { createSecretKey, hkdfSync, type KeyObject, randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';

export type Secrets = {
  /** The first signs, all verify. */
  keys: readonly KeyObject[];
  /** Keys for another purpose, one from each secret and in the same order: they are replaced with it. */
  derive(label: string): KeyObject[];
  /** As JWT_SECRET has them. */
  setting(): string;
};

/** Why a secret is not taken. */
export class BadSecret extends Error {}

const FEWEST_BYTES = 32;
const MOST_SECRETS = 8;
const KEY_BYTES = 32;

/** One or several, each after a comma or on a line of its own. Throws BadSecret. */
export function parseSecrets(text: string): Secrets {
  const lines = text.replace(/(\r?\n)+$/, '').split(/[,\n]/);
  const list = [...new Set(lines.map((each) => each.trim()))]; // spaces around it are a slip of the hand
  if (list.length > 1 && list.includes('')) throw new BadSecret('a list without an empty place');
  if (list.length > MOST_SECRETS) throw new BadSecret(`a list of at most ${MOST_SECRETS} secrets`);
  const faults = list.flatMap((each) => faultOf(each) ?? []);
  if (faults.length > 0) {
    const note = lines.length > 1 ? ' (a comma or a line break begins the next secret of the list)' : '';
    throw new BadSecret(`${faults[0]}${note}`);
  }
  return secretsOf(list);
}

/** For a server that forgets everything else too. */
export const randomSecrets = (): Secrets => secretsOf([newSecret()]);

const newSecret = (): string => randomBytes(KEY_BYTES).toString('hex');

function secretsOf(list: string[]): Secrets {
  const bytes = list.map((each) => Buffer.from(each));
  return {
    keys: bytes.map((each) => createSecretKey(each)),
    derive: (label) =>
      bytes.map((each) =>
        createSecretKey(Buffer.from(hkdfSync('sha256', each, '', `parley ${label}`, KEY_BYTES))),
      ),
    setting: () => list.join(','),
  };
}

/** No random secret has these: they say that somebody was to put one here. */
const PHRASES =
  /(change|replace|insert)[\W_]*(me|this|it|in|here|your|with|before)|place[\W_]*holder|your[\W_]*(own|super|very|secret|jwt|key|random|long|\d)/i;
/** Parts of placeholders, and sequences. A secret must have something left without them. */
const WORDS =
  /secret|password|token|random|string|characters?|default|example|sample|production|development|insecure|private|signing|least|minimum|super|very|long|your|this|with|bytes?|bits|qwertyuiop|asdfghjkl|zxcvbnm/gi;
const SHORT_WORDS =
  /(?<![a-z\d])(a|an|my|at|is|the|of|or|in|to|and|for|jwt|key|hs|hmac|sha|dev|test|\d{1,3})(?![a-z\d])/gi;
const FEWEST_LEFT = 8;
const FEWEST_BITS = 64;

function faultOf(secret: string): string | undefined {
  if (Buffer.byteLength(secret) < FEWEST_BYTES) return `at least ${FEWEST_BYTES} bytes`;
  if (/[\p{Cc}\p{Cs}\u2028\u2029\ufeff\ufffd]/u.test(secret)) return 'text without control characters';
  if (bitsOf(secret) < FEWEST_BITS || isRepetition(secret))
    return 'random (openssl rand -hex 32), not a few characters over and over';
  const left = secret.replace(WORDS, ' ').replace(SHORT_WORDS, ' ');
  if (PHRASES.test(secret) || lengthWithoutRuns(left) < FEWEST_LEFT)
    return 'random (openssl rand -hex 32), not a placeholder or a well-known value';
  return undefined;
}

/** What the frequencies of its characters allow at most (Shannon). */
function bitsOf(text: string): number {
  const counts = new Map<string, number>();
  for (const each of text) counts.set(each, (counts.get(each) ?? 0) + 1);
  const length = [...text].length;
  return [...counts.values()].reduce((bits, count) => bits - count * Math.log2(count / length), 0);
}

/** Whether it is a shorter text twice or more, as far as it goes, and that text alone would be too short. */
function isRepetition(text: string): boolean {
  for (let period = 1; period <= text.length / 2; period += 1) {
    const part = text.slice(0, period);
    if (Buffer.byteLength(part) >= FEWEST_BYTES) return false;
    if (part.repeat(Math.ceil(text.length / period)).startsWith(text)) return true;
  }
  return false;
}

/** Letters and digits that are not the one before, or its neighbour: `abcd`, `4321` and `aaaa` count as one. */
function lengthWithoutRuns(text: string): number {
  let before = Number.NaN;
  let count = 0;
  for (const each of text.match(/[\p{L}\p{N}]/gu) ?? []) {
    const code = each.codePointAt(0)!;
    if (!(Math.abs(code - before) <= 1)) count += 1;
    before = code;
  }
  return count;
}

const LARGEST_FILE_BYTES = 65_536;
const DRAFT = /^jwt-secret\.[0-9a-f]{16}\.tmp$/;
const DRAFT_DEAD_AFTER_MS = 60_000;

/** The secret that is kept beside the data, so that logins survive a restart as the accounts do. Made if there is none. */
export function keptSecrets(dataDir: string, warn: (message: string) => void): Secrets {
  const file = join(dataDir, 'jwt-secret');
  try {
    fs.mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    const read = () => readFile(file, (descriptor, status) => closeToOthers(descriptor, status, file, warn));
    const text = read() ?? create(file) ?? read();
    if (text === undefined) throw new Error('it was removed while it was made');
    return parseSecrets(text);
  } catch (error) {
    const { message } = error as Error;
    if (!(error instanceof BadSecret)) throw new Error(`the secret in ${file} cannot be used: ${message}`);
    const cure =
      'put it back from a copy, or remove the file and a new one is made (sessions go on, by their refresh tokens)';
    throw new Error(`the secret in ${file} is damaged, it must be ${message}; ${cure}`);
  }
}

/**
 * The secrets in a file that the operator provides. Its mode is the operator's choice: Docker and Kubernetes mount secrets
 * readable by all users of the container. Throws BadSecret, with neither the content nor the path: by mistake the
 * path may be the secret itself.
 */
export function secretsFromFile(file: string): Secrets {
  let text: string | undefined;
  try {
    text = readFile(file);
  } catch (error) {
    if (error instanceof BadSecret) throw new BadSecret('the path of a text file');
    const { code, message } = error as NodeJS.ErrnoException;
    throw new BadSecret(`the path of a readable file (${code ?? message})`);
  }
  if (text === undefined) throw new BadSecret('the path of an existing file');
  try {
    return parseSecrets(text);
  } catch (error) {
    throw new BadSecret(`the path of a file whose content is ${(error as BadSecret).message}`);
  }
}

/** Undefined when there is no file. It may be a link (to a mounted secret, say), but what it leads to must be a file. */
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
    throw isMissing ? new Error('it is a link that leads nowhere') : error;
  }
  try {
    const status = fs.fstatSync(descriptor);
    if (!status.isFile()) throw new Error('it is not a file');
    if (status.size > LARGEST_FILE_BYTES) throw new Error('it is too large to be a secret');
    checkAccess(descriptor, status);
    return new TextDecoder('utf-8', { fatal: true }).decode(fs.readFileSync(descriptor));
  } catch (error) {
    throw error instanceof TypeError ? new BadSecret('text') : error;
  } finally {
    fs.closeSync(descriptor);
  }
}

/** A file of somebody else's that only a group may read was mounted so on purpose. */
function closeToOthers(
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
    throw new Error('other users of this machine can read it: chmod 600');
  }
  warn(
    `${file} could be read by other users of this machine: closed now; replace the secret if one may have`,
  );
}

/** Whole or not at all, and never over the file of another start, which undefined says. */
function create(file: string): string | undefined {
  const folder = dirname(file);
  const draft = `${file}.${randomBytes(8).toString('hex')}.tmp`;
  const secret = newSecret();
  try {
    fs.writeFileSync(draft, `${secret}\n`, { mode: 0o600, flag: 'wx', flush: true });
    place(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return undefined;
    throw error;
  } finally {
    fs.rmSync(draft, { force: true });
    removeDrafts(folder);
  }
  const descriptor = fs.openSync(folder, 'r');
  fs.fsyncSync(descriptor);
  fs.closeSync(descriptor);
  return secret;
}

const NO_LINKS = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'];

/** A link is never put over a file. Where there are none, the claim on the data directory keeps other starts away. */
function place(draft: string, file: string): void {
  try {
    fs.linkSync(draft, file);
  } catch (error) {
    if (!NO_LINKS.includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    fs.renameSync(draft, file);
  }
}

/** Of starts that ended in between. */
function removeDrafts(folder: string): void {
  for (const name of fs.readdirSync(folder).filter((each) => DRAFT.test(each))) {
    const { mtimeMs } = fs.statSync(join(folder, name), { throwIfNoEntry: false }) ?? { mtimeMs: Date.now() };
    if (Date.now() - mtimeMs > DRAFT_DEAD_AFTER_MS) fs.rmSync(join(folder, name), { force: true });
  }
}
