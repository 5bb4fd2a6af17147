/** Waits and reasons in the user's language. */
import { expect, test } from 'vitest';
import { createSay, gapText, waitText } from '../../../clients/cli/src/i18n.ts';
import { explain } from '../../../clients/cli/src/problems.ts';
import { loadContract } from '../../../src/http/openapi.ts';

const [en, zh] = [createSay('en'), createSay('zh')];
const { GapReason } = loadContract().document.components['schemas'] as { GapReason: { enum: string[] } };
type Reason = Parameters<typeof gapText>[0];

test.each([
  [0, '0 s', '0 秒'],
  [119, '119 s', '119 秒'],
  [120, '2 min', '2 分钟'],
  [121, '3 min', '3 分钟'],
  [7_199, '120 min', '120 分钟'],
  [7_200, '2 h', '2 小时'],
  [86_400, '24 h', '24 小时'],
])('a wait of %i s is written as %s, in Chinese %s', (seconds, english, chinese) => {
  expect([waitText(seconds, en), waitText(seconds, zh)]).toEqual([english, chinese]);
});

test('a long wait in a problem is not written in seconds', () => {
  const problem = { code: 'too_many_requests', retryAfterSeconds: 3_000 } as Parameters<typeof explain>[0];
  expect(explain(problem, 'en')).toBe('Too many attempts. Try again in 50 min.');
  expect(explain(problem, 'zh')).toBe('操作过于频繁，请 50 分钟后再试。');
});

test.each(GapReason.enum)('the gap reason %s is explained in both languages', (reason) => {
  expect(gapText(reason as Reason, en)).toMatch(/^Some messages are missing: [a-z][a-z ]+\. The history/);
  expect(gapText(reason as Reason, zh)).not.toMatch(/[A-Za-z]/);
});

test.each(['constructor', 'a reason of a newer server', '\u001b[2J', 7])(
  'does not print the unknown gap reason %j',
  (reason) => {
    expect(gapText(reason as Reason, en)).toBe(gapText('unreadable', en));
  },
);
