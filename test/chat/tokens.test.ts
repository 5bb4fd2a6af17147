import { describe, expect, test } from 'vitest';
import { createTokens, newRefreshToken, newSessionId, parseRefreshToken } from '../../src/chat/tokens.ts';

const ISSUED_AT = Date.UTC(2026, 10, 23, 9);
const sid = newSessionId();

function tokensAt(nowMs: number) {
  return createTokens({ secret: 'x'.repeat(32), accessTtlSeconds: 60, now: () => nowMs });
}

describe('an access token', () => {
  const token = tokensAt(ISSUED_AT).issue({ username: '张三', sid });

  test('says who calls, by which session, and until when', () => {
    expect(tokensAt(ISSUED_AT).verify(token)).toEqual({
      username: '张三',
      sid,
      expiresAtMs: ISSUED_AT + 60_000,
    });
  });

  test('holds up to its last moment, by the clock that all nodes share, and not beyond', () => {
    expect(tokensAt(ISSUED_AT + 59_999).verify(token).sid).toBe(sid);
    expect(() => tokensAt(ISSUED_AT + 60_000).verify(token)).toThrow(
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

  test('is never drawn twice', () => {
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
  ])('%j is none', (text) => expect(parseRefreshToken(text)).toBeUndefined());
});
