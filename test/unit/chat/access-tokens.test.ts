import { createSecretKey } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { createAccessTokens } from '../../../src/chat/access-tokens.ts';

const ISSUED_AT = Date.UTC(2026, 10, 23, 9);
const sid = 'x'.repeat(22);

const secret = (name: string) => createSecretKey(Buffer.from(name.repeat(32)));

function tokensAt(nowMs: number, secrets = [secret('x')]) {
  return createAccessTokens({ secrets, accessTtlSeconds: 60, now: () => nowMs });
}

describe('an access token', () => {
  const token = tokensAt(ISSUED_AT).issue({ username: '张三', sid });

  test('carries the username, the session and the expiry time', () => {
    expect(tokensAt(ISSUED_AT).verify(token)).toEqual({
      username: '张三',
      sid,
      expiresAtMs: ISSUED_AT + 60_000,
    });
  });

  test('is valid until it expires according to the clock of the store', () => {
    expect(tokensAt(ISSUED_AT + 59_999).verify(token).sid).toBe(sid);
    expect(() => tokensAt(ISSUED_AT + 60_000).verify(token)).toThrow(
      expect.objectContaining({ code: 'token_expired' }),
    );
  });
});

describe('while a secret is being replaced', () => {
  const session = { username: 'alice', sid };
  const [oldSecret, newSecret] = [secret('o'), secret('n')];
  const issuedWith = (...secrets: (typeof oldSecret)[]) => tokensAt(ISSUED_AT, secrets).issue(session);

  test('nodes with both secrets sign with the first and accept tokens signed with either', () => {
    for (const token of [issuedWith(oldSecret, newSecret), issuedWith(newSecret, oldSecret)])
      for (const secrets of [
        [oldSecret, newSecret],
        [newSecret, oldSecret],
      ])
        expect(tokensAt(ISSUED_AT, secrets).verify(token).username).toBe('alice');
    expect(tokensAt(ISSUED_AT, [newSecret]).verify(issuedWith(newSecret, oldSecret)).username).toBe('alice');
  });

  test('rejects tokens signed with a removed or unknown secret', () => {
    for (const token of [issuedWith(oldSecret, newSecret), issuedWith(secret('u'))])
      expect(() => tokensAt(ISSUED_AT, [newSecret]).verify(token)).toThrow(
        expect.objectContaining({ code: 'unauthenticated' }),
      );
  });

  test('reports an expired token of the old secret as expired, so that the client refreshes', () => {
    expect(() => tokensAt(ISSUED_AT + 60_000, [newSecret, oldSecret]).verify(issuedWith(oldSecret))).toThrow(
      expect.objectContaining({ code: 'token_expired' }),
    );
  });
});
