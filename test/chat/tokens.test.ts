import { createSecretKey } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { createTokens, newRefreshToken, newSessionId, parseRefreshToken } from '../../src/chat/tokens.ts';

const ISSUED_AT = Date.UTC(2026, 10, 23, 9);
const sid = newSessionId();

const secret = (name: string) => createSecretKey(Buffer.from(name.repeat(32)));

function tokensAt(nowMs: number, secrets = [secret('x')]) {
  return createTokens({ secrets, accessTtlSeconds: 60, now: () => nowMs });
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

  test('is valid until it expires by the shared clock', () => {
    expect(tokensAt(ISSUED_AT + 59_999).verify(token).sid).toBe(sid);
    expect(() => tokensAt(ISSUED_AT + 60_000).verify(token)).toThrow(
      expect.objectContaining({ code: 'token_expired' }),
    );
  });
});

describe('during secret rotation', () => {
  const who = { username: 'alice', sid };
  const [old, fresh] = [secret('o'), secret('f')];
  const issuedBy = (...secrets: (typeof old)[]) => tokensAt(ISSUED_AT, secrets).issue(who);

  test('nodes with both secrets sign with the first and accept tokens signed with either', () => {
    for (const token of [issuedBy(old, fresh), issuedBy(fresh, old)])
      for (const secrets of [
        [old, fresh],
        [fresh, old],
      ])
        expect(tokensAt(ISSUED_AT, secrets).verify(token).username).toBe('alice');
    expect(tokensAt(ISSUED_AT, [fresh]).verify(issuedBy(fresh, old)).username).toBe('alice');
  });

  test('rejects tokens signed with a removed or unknown secret', () => {
    for (const token of [issuedBy(old, fresh), issuedBy(secret('n'))])
      expect(() => tokensAt(ISSUED_AT, [fresh]).verify(token)).toThrow(
        expect.objectContaining({ code: 'unauthenticated' }),
      );
  });

  test('reports an expired token of the old secret as expired, so that the client refreshes', () => {
    expect(() => tokensAt(ISSUED_AT + 60_000, [fresh, old]).verify(issuedBy(old))).toThrow(
      expect.objectContaining({ code: 'token_expired' }),
    );
  });
});

describe('a refresh token', () => {
  test.each(['alice', '张三', 'x'.repeat(32), '𠀀'.repeat(32)])(
    'names its session and account: %s',
    (username) => {
      const { token, hash } = newRefreshToken(username, sid);
      expect(parseRefreshToken(token)).toEqual({ username, sid, hash });
      expect(token).not.toContain(hash);
      expect(token.length).toBeLessThanOrEqual(512);
    },
  );

  test('is unique', () => {
    const drawn = Array.from({ length: 100 }, () => newRefreshToken('alice', sid).token);
    expect(new Set(drawn).size).toBe(100);
  });

  test.each([
    '',
    '.',
    '..',
    'a.b.c',
    `${sid}..${'x'.repeat(43)}`,
    `${sid}.YQ.${'x'.repeat(44)}`,
    `${sid}.Y Q.${'x'.repeat(43)}`,
  ])('rejects %j', (text) => expect(parseRefreshToken(text)).toBeUndefined());
});
