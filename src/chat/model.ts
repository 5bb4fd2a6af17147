/**
 * Domain types from the contract, and the rules for names and texts that JSON Schema cannot express. Pure.
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
/** The JSON text of a T. A message is sent as stored, without being parsed. */
export type Json<T> = string & { [value]: T };

/** The caller, according to a valid access token. */
export type Caller = { username: string; sid: string; expiresAtMs: number };

/** Requests with the same key share a limit, multiplied by the factor. */
export type Network = { key: string; factor: number };

/** Control characters except tab, LF and CR, and lone surrogates, which UTF-8 cannot encode. */
const FORBIDDEN = /(?![\t\n\r])[\p{Cc}\p{Cs}]/u;

export const unknownUser = (): Problem =>
  new Problem('unknown_user', 'No account has this username. Check the spelling.');

/** The first code point of a text, in the notation U+0041. */
export const codePointOf = (text: string): string =>
  `U+${text.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}`;

/** The contract's patterns must work in every language, so they cannot check non-ASCII characters. */
export function checkText(pointer: string, text: string): void {
  if (!/\S/.test(text)) throw invalid(pointer, 'must not be only white space');
  const forbidden = FORBIDDEN.exec(text)?.[0];
  if (forbidden === undefined) return;
  throw invalid(
    pointer,
    `must not contain ${codePointOf(forbidden)}: control characters, except tabs and line breaks, and lone surrogates are not allowed`,
  );
}
