/** Password rules, and normalization before hashing. */
import { readFileSync } from 'node:fs';
import { invalid } from './problems.ts';

const BYTES = { min: 8, max: 72 };
/** Loaded at startup; lower case. The file documents its source. */
const COMMON: ReadonlySet<string> = new Set(
  readFileSync(new URL('./common-passwords.txt', import.meta.url), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#')),
);

/**
 * Prepares an OpaqueString (RFC 8265): NFC, with every space mapped to U+0020. Keyboards and systems encode é and spaces
 * differently, and users cannot see the difference.
 */
export const preparePassword = (password: string): string =>
  password.normalize('NFC').replace(/\p{Zs}/gu, ' ');

/** bcrypt truncates longer passwords. */
export const isTooLong = (password: string): boolean => Buffer.byteLength(password) > BYTES.max;

/** `username` is in canonical form. Throws a problem whose message the user can read. */
export function checkNewPassword(password: string, username: string): void {
  const refuse = (why: string): never => {
    throw invalid('/password', why);
  };
  const prepared = preparePassword(password);
  const bytes = Buffer.byteLength(prepared);
  if (bytes < BYTES.min || bytes > BYTES.max)
    refuse(`must be ${BYTES.min} to ${BYTES.max} bytes of UTF-8, is ${bytes}`);
  if (prepared.includes('\0') || /\p{Cs}/u.test(prepared)) refuse('must not contain NUL or lone surrogates');
  if (/^[\s\p{Default_Ignorable_Code_Point}]*$/u.test(prepared)) refuse('must not be blank');
  const guess = folded(prepared);
  if (/^(.)\1*$/su.test(guess)) refuse('must not be one character repeated');
  if (COMMON.has(guess)) refuse('is one of the most common passwords, which are tried first. Choose another');
  const name = folded(username);
  const bare = withoutSpaces(guess);
  if ([name, [...name].reverse().join('')].some((each) => bare.replaceAll(each, '') === ''))
    refuse('must not be the username');
}

/** Ignores case and character width, as password guessers do. */
const folded = (text: string): string => text.normalize('NFKC').toLowerCase();
const withoutSpaces = (text: string): string => text.replace(/\s/g, '');
