/**
 * The words of the product as types (the contract's), and the rules for names and texts that JSON Schema cannot say.
 * Pure.
 */
import type { components } from '../contract.d.ts';
import { invalid, Problem } from './problems.ts';

type Schemas = components['schemas'];
export type Account = Schemas['Account'];
export type User = Schemas['User'];
export type OnlineUser = Schemas['OnlineUser'];
export type BroadcastMessage = Schemas['BroadcastMessage'];
export type DirectMessage = Schemas['DirectMessage'];
export type Message = BroadcastMessage | DirectMessage;
export type Gap = Schemas['Gap'];

declare const value: unique symbol;
/** The JSON text of a T. A message is written as it is stored, and never read on its way. */
export type Json<T> = string & { [value]: T };

/** Who acts: what a valid access token says. */
export type Caller = { username: string; sid: string; expiresAtMs: number };

/** Whose requests are counted together, and how many times a limit they have. */
export type Network = { key: string; factor: number };

/** Control characters but tab, LF and CR; and halves of surrogate pairs, which UTF-8 cannot carry. */
const FORBIDDEN = /(?![\t\n\r])[\p{Cc}\p{Cs}]/u;

export const unknownUser = (): Problem =>
  new Problem('unknown_user', 'There is no account with this username.');

/** The contract's patterns mean the same in every language, so they can say little of characters beyond ASCII. */
export function checkText(pointer: string, text: string): void {
  if (!/\S/.test(text)) throw invalid(pointer, 'must not be only white space');
  const found = FORBIDDEN.exec(text)?.[0];
  if (found === undefined) return;
  const code = found.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0');
  throw invalid(
    pointer,
    `must not contain U+${code}: no control characters but tab and line ends, no lone surrogates`,
  );
}
