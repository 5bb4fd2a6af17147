/** What may be a password, and the one form in which it is hashed. */
import { readFileSync } from 'node:fs';
import { invalid } from './problems.ts';

const BYTES = { min: 8, max: 72 };
/** Read at the start. In lower case; what the list is and where it is from stands in the file. */
const COMMON: ReadonlySet<string> = new Set(
  readFileSync(new URL('./common-passwords.txt', import.meta.url), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#')),
);

/**
 * As RFC 8265 prepares an OpaqueString: NFC, and every space is the common one. Keyboards and systems differ in how
 * they write é or a space, and people cannot see it.
 */
export const preparePassword = (password: string): string =>
  password.normalize('NFC').replace(/\p{Zs}/gu, ' ');

/** bcrypt would cut what is longer. */
export const isTooLong = (password: string): boolean => Buffer.byteLength(password) > BYTES.max;

/** `username` in the canonical form. Throws what is wrong, in words for the person who chose it. */
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

/** What a guesser takes for the same: any case, full width. */
const folded = (text: string): string => text.normalize('NFKC').toLowerCase();
const withoutSpaces = (text: string): string => text.replace(/\s/g, '');
