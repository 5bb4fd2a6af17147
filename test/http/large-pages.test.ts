/** Pages end at 256 KiB as well as at their count, and neither way of paging loses or repeats a message by that. */
import { beforeAll, describe, expect, test } from 'vitest';
import type { OperationId } from '../../src/http/operations/types.ts';
import { type Person, person, say, sharedNode, tell } from '../support/app.ts';
import { call } from '../support/contract.ts';

const PAGE_BYTES = 256 * 1024;
const ENVELOPE = 200;
/** 16 KB in UTF-8: the longest text there is. */
const LONGEST = '😀'.repeat(4_000);
const COUNT = 120;

type Seen = { id: string; seq: number; text: string };
type Page = { messages: Seen[]; hasMore: boolean };

const node = sharedNode();
let [alice, bob]: Person[] = [];

/** Of every size, also many small ones between long ones. */
const textOf = (n: number): string => (n % 3 === 0 || n % 40 > 25 ? LONGEST : `${n}`);

beforeAll(async () => {
  [alice, bob] = [await person(node(), 'alice'), await person(node(), 'bob')];
  for (let n = 1; n <= COUNT; n += 1) {
    await say(alice, textOf(n));
    await tell(alice, 'bob', textOf(n));
  }
}, 60_000);

async function page(
  operation: OperationId,
  query: Record<string, string | number>,
): Promise<{ page: Page; bytes: number }> {
  const path = operation === 'listDirect' ? { username: 'alice' } : {};
  const { body, text } = await call(node(), operation, { token: bob!.token, path, query });
  return { page: body, bytes: Buffer.byteLength(text) };
}

async function walk(
  operation: OperationId,
  direction: 'before' | 'after',
  limit: number,
  next: (last: Seen) => string | number = ({ seq }) => seq,
) {
  const seen: Seen[] = [];
  const sizes: number[] = [];
  let query: Record<string, string | number> =
    operation !== 'getMailbox' && direction === 'after' ? { after: 0 } : {};
  for (let pages = 0; pages < 300; pages += 1) {
    const {
      page: { messages, hasMore },
      bytes,
    } = await page(operation, { limit, ...query });
    sizes.push(bytes);
    if (direction === 'after') seen.push(...messages);
    else seen.unshift(...messages);
    if (!hasMore) break;
    expect(messages.length).toBeGreaterThan(0);
    query = { [direction]: next(direction === 'after' ? messages.at(-1)! : messages[0]!) };
  }
  return { seen, sizes };
}

describe.each(['listBroadcasts', 'listDirect'] as const)('%s', (operation) => {
  test.each([
    ['before', 7],
    ['before', 50],
    ['before', 1_000],
    ['after', 7],
    ['after', 50],
    ['after', 1_000],
  ] as const)(
    'paged %s with %i at most: no page over 256 KiB, no hole, no repeat',
    async (direction, limit) => {
      const { seen, sizes } = await walk(operation, direction, limit);
      expect(seen.map(({ seq }) => seq)).toEqual(Array.from({ length: COUNT }, (_, n) => n + 1));
      expect(Math.max(...sizes)).toBeLessThanOrEqual(PAGE_BYTES + ENVELOPE);
      // All but the last are as full as they may be.
      if (limit === 1_000)
        for (const bytes of sizes.slice(0, -1)) expect(bytes).toBeGreaterThan(PAGE_BYTES - 17_000);
    },
  );
});

test.each([7, 1_000])(
  'the mailbox paged with %i at most: no page over 256 KiB, no hole, no repeat',
  async (limit) => {
    const { seen, sizes } = await walk('getMailbox', 'after', limit, ({ id }) => id);
    expect(seen.map(({ seq }) => seq)).toEqual(Array.from({ length: COUNT }, (_, n) => n + 1));
    expect(Math.max(...sizes)).toBeLessThanOrEqual(PAGE_BYTES + ENVELOPE);
  },
);

test('a page that ends exactly with the last message says that there are no more', async () => {
  const { page: older } = await page('listBroadcasts', { after: COUNT - 3, limit: 3 });
  expect([older.messages.length, older.hasMore]).toEqual([3, false]);
  const { page: newer } = await page('listBroadcasts', { before: 4, limit: 3 });
  expect([newer.messages.map(({ seq }) => seq), newer.hasMore]).toEqual([[1, 2, 3], false]);
});

test('messages that arrive while somebody pages make neither a hole nor a repeat', async () => {
  let isOver = false;
  const writing = (async () => {
    while (!isOver) await tell(alice!, 'bob', LONGEST);
  })();
  try {
    for (const direction of ['before', 'after'] as const) {
      const { seen } = await walk('listDirect', direction, 20);
      expect(seen.map(({ seq }) => seq)).toEqual(seen.map((_, index) => index + 1));
    }
  } finally {
    isOver = true;
    await writing;
  }
});
