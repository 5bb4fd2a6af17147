import { createSecretKey } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import {
  newRefreshToken,
  newSessionId,
  nextRefreshToken,
  parseRefreshToken,
} from '../../../src/chat/refresh-tokens.ts';

const sid = newSessionId();

describe('a refresh token', () => {
  test.each(['alice', '张三', 'x'.repeat(32), '𠀀'.repeat(32)])(
    'contains its session and username, not the hash: %s',
    (username) => {
      const { token, hash } = newRefreshToken(username, sid);
      expect(parseRefreshToken(token)).toEqual({ username, sid, hash });
      expect(token).not.toContain(hash);
      expect(token.length).toBeLessThanOrEqual(512);
    },
  );

  test('is unique', () => {
    const tokens = Array.from({ length: 100 }, () => newRefreshToken('alice', sid).token);
    expect(new Set(tokens).size).toBe(100);
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

describe('the next refresh token', () => {
  const presented = { username: 'alice', sid, hash: 'h'.repeat(43) };
  const [key, otherKey] = ['k', 'o'].map((letter) => createSecretKey(Buffer.from(letter.repeat(32))));

  test('is the same for every retry with the same nonce, and belongs to the same session', () => {
    const next = nextRefreshToken(presented, 'nonce hash', key!);
    expect(nextRefreshToken(presented, 'nonce hash', key!)).toEqual(next);
    expect(parseRefreshToken(next.token)).toEqual({ username: 'alice', sid, hash: next.hash });
  });

  test('differs for another nonce, another presented token and another key', () => {
    const tokens = [
      nextRefreshToken(presented, 'nonce hash', key!),
      nextRefreshToken(presented, 'another hash', key!),
      nextRefreshToken({ ...presented, hash: 'i'.repeat(43) }, 'nonce hash', key!),
      nextRefreshToken(presented, 'nonce hash', otherKey!),
    ];
    expect(new Set(tokens.map(({ token }) => token)).size).toBe(4);
  });

  test('is random without a nonce', () => {
    const [one, other] = [nextRefreshToken(presented, '', key!), nextRefreshToken(presented, '', key!)];
    expect(one.token).not.toBe(other.token);
  });
});
