/** Password rules, and normalization before hashing. */
import { readFileSync } from 'node:fs';
import { invalid } from './problems.ts';

const BYTES = { min: 8, max: 72 };
/** In lower case. The file names its source. */
const COMMON: ReadonlySet<string> = new Set(
  readFileSync(new URL('./common-passwords.txt', import.meta.url), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#')),
);

/**
 * Prepares an OpaqueString (RFC 8265): NFC, with every space mapped to U+0020. Keyboards encode é and spaces in different
 * ways, which users cannot see.
 */
export const preparePassword = (password: string): string =>
  password.normalize('NFC').replace(/\p{Zs}/gu, ' ');

/** bcrypt truncates longer passwords. */
export const isTooLong = (password: string): boolean => Buffer.byteLength(password) > BYTES.max;

/** Throws a problem if the password breaks a rule. `username` is in canonical form. */
export function checkNewPassword(password: string, username: string): void {
  const reject = (rule: string): never => {
    throw invalid('/password', rule);
  };
  const prepared = preparePassword(password);
  const bytes = Buffer.byteLength(prepared);
  if (bytes < BYTES.min || bytes > BYTES.max)
    reject(`must be ${BYTES.min} to ${BYTES.max} bytes long in UTF-8, but is ${bytes}`);
  if (prepared.includes('\0') || /\p{Cs}/u.test(prepared)) reject('must not contain NUL or lone surrogates');
  if (/^[\s\p{Default_Ignorable_Code_Point}]*$/u.test(prepared)) reject('must not be blank');
  const folded = fold(prepared);
  if (/^(.)\1*$/su.test(folded)) reject('must not be a single repeated character');
  if (COMMON.has(folded))
    reject('is one of the most common passwords, which attackers try first. Choose another one');
  const name = fold(username);
  const spaceless = withoutSpaces(folded);
  if ([name, [...name].reverse().join('')].some((each) => spaceless.replaceAll(each, '') === ''))
    reject('must not be the username, repeated or reversed');
}

/** Ignores case and character width, as password guessers do. */
const fold = (text: string): string => text.normalize('NFKC').toLowerCase();
const withoutSpaces = (text: string): string => text.replace(/\s/g, '');
