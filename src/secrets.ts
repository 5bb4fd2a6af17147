/**
 * Signing secrets: parses and checks them, wherever they come from. A list of secrets allows rotation: the first one signs,
 * all of them verify, so nobody is logged out. Error messages never contain a secret.
 */
import { createSecretKey, hkdfSync, type KeyObject, randomBytes } from 'node:crypto';

export type Secrets = {
  /** The first one signs, all of them verify. */
  keys: readonly KeyObject[];
  /** Keys for another purpose, one per secret and in the same order, so that they are rotated together. */
  derive(label: string): KeyObject[];
  /** The list in the form of JWT_SECRET. */
  setting(): string;
};

/** The message completes "must be …". */
export class InvalidSecret extends Error {}

const MIN_BYTES = 32;
const MAX_SECRETS = 8;
const KEY_BYTES = 32;

/** Parses one or several secrets, separated by commas or line breaks. Throws InvalidSecret. */
export function parseSecrets(text: string): Secrets {
  const lines = text.replace(/(\r?\n)+$/, '').split(/[,\n]/);
  const list = [...new Set(lines.map((each) => each.trim()))]; // white space around a secret is never intended
  if (list.length > 1 && list.includes('')) throw new InvalidSecret('a list without empty entries');
  if (list.length > MAX_SECRETS) throw new InvalidSecret(`a list of at most ${MAX_SECRETS} secrets`);
  const faults = list.flatMap((each) => faultOf(each) ?? []);
  if (faults.length > 0) {
    const note = lines.length > 1 ? ' (commas and line breaks separate the secrets of a list)' : '';
    throw new InvalidSecret(`${faults[0]}${note}`);
  }
  return secretsOf(list);
}

/** For a server whose data does not survive a restart either. */
export const randomSecrets = (): Secrets => secretsOf([newSecret()]);

export const newSecret = (): string => randomBytes(KEY_BYTES).toString('hex');

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

/** Phrases of placeholders; a random secret does not contain them. */
const PLACEHOLDERS =
  /(change|replace|insert)[\W_]*(me|this|it|in|here|your|with|before)|place[\W_]*holder|your[\W_]*(own|super|very|secret|jwt|key|random|long|\d)/i;
/** Words of example secrets, and keyboard sequences. Without them, a secret must still have enough characters. */
const COMMON_WORDS =
  /secret|password|token|random|string|characters?|default|example|sample|production|development|insecure|private|signing|least|minimum|super|very|long|your|this|with|bytes?|bits|qwertyuiop|asdfghjkl|zxcvbnm/gi;
const SHORT_WORDS =
  /(?<![a-z\d])(a|an|my|at|is|the|of|or|in|to|and|for|jwt|key|hs|hmac|sha|dev|test|\d{1,3})(?![a-z\d])/gi;
const MIN_UNCOMMON = 8;
const MIN_BITS = 64;

function faultOf(secret: string): string | undefined {
  if (Buffer.byteLength(secret) < MIN_BYTES) return `at least ${MIN_BYTES} bytes`;
  if (/[\p{Cc}\p{Cs}\u2028\u2029\ufeff\ufffd]/u.test(secret)) return 'text without control characters';
  if (maxEntropyBits(secret) < MIN_BITS || isRepetition(secret))
    return 'random (openssl rand -hex 32), not a repetition of a few characters';
  const rest = secret.replace(COMMON_WORDS, ' ').replace(SHORT_WORDS, ' ');
  if (PLACEHOLDERS.test(secret) || lengthWithoutRuns(rest) < MIN_UNCOMMON)
    return 'random (openssl rand -hex 32), not a placeholder or a well-known value';
  return undefined;
}

/** Upper bound of the entropy, by the frequencies of the characters (Shannon). */
function maxEntropyBits(text: string): number {
  const counts = new Map<string, number>();
  for (const each of text) counts.set(each, (counts.get(each) ?? 0) + 1);
  const length = [...text].length;
  return [...counts.values()].reduce((bits, count) => bits - count * Math.log2(count / length), 0);
}

/** Whether the text repeats a part that would itself be too short. The last repetition may be cut off. */
function isRepetition(text: string): boolean {
  for (let period = 1; period <= text.length / 2; period += 1) {
    const part = text.slice(0, period);
    if (Buffer.byteLength(part) >= MIN_BYTES) return false;
    if (part.repeat(Math.ceil(text.length / period)).startsWith(text)) return true;
  }
  return false;
}

/** Counts letters and digits, but a run such as `abcd`, `4321` or `aaaa` as one. */
function lengthWithoutRuns(text: string): number {
  let previous = Number.NaN;
  let count = 0;
  for (const each of text.match(/[\p{L}\p{N}]/gu) ?? []) {
    const code = each.codePointAt(0)!;
    if (!(Math.abs(code - previous) <= 1)) count += 1;
    previous = code;
  }
  return count;
}
