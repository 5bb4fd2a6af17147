/** Pages end at 256 KiB as well as at their limit, and paging in either direction loses and repeats no message. */
import { beforeAll, describe, expect, test } from 'vitest';
import type { OperationId } from '../../../src/http/operations/types.ts';
import { type Person, person, say, sharedNode, tell } from '../../kit/app.ts';
import { call } from '../../kit/contract.ts';

const PAGE_BYTES = 256 * 1024;
const ENVELOPE = 200;
/** 16 KB in UTF-8: the longest text that is allowed. */
const LONGEST = '😀'.repeat(4_000);
const COUNT = 120;

type Listed = { id: string; seq: number; text: string };
type Page = { messages: Listed[]; hasMore: boolean };

const node = sharedNode();
let [alice, bob]: Person[] = [];

/** Long texts, and runs of short ones between them. */
const textOf = (n: number): string => (n % 3 === 0 || n % 40 > 25 ? LONGEST : `${n}`);

beforeAll(async () => {
  [alice, bob] = [await person(node(), 'alice'), await person(node(), 'bob')];
  for (let n = 1; n <= COUNT; n += 1) {
    await say(alice, textOf(n));
    await tell(alice, 'bob', textOf(n));
  }
});

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
  next: (last: Listed) => string | number = ({ seq }) => seq,
) {
  const all: Listed[] = [];
  const sizes: number[] = [];
  let query: Record<string, string | number> =
    operation !== 'getMailbox' && direction === 'after' ? { after: 0 } : {};
  for (let pages = 0; pages < 300; pages += 1) {
    const {
      page: { messages, hasMore },
      bytes,
    } = await page(operation, { limit, ...query });
    sizes.push(bytes);
    if (direction === 'after') all.push(...messages);
    else all.unshift(...messages);
    if (!hasMore) break;
    expect(messages.length).toBeGreaterThan(0);
    query = { [direction]: next(direction === 'after' ? messages.at(-1)! : messages[0]!) };
  }
  return { all, sizes };
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
    'paging with %s and a limit of %i: no page over 256 KiB, no message lost or repeated',
    async (direction, limit) => {
      const { all, sizes } = await walk(operation, direction, limit);
      expect(all.map(({ seq }) => seq)).toEqual(Array.from({ length: COUNT }, (_, n) => n + 1));
      expect(Math.max(...sizes)).toBeLessThanOrEqual(PAGE_BYTES + ENVELOPE);
      // All but the last page are as full as possible.
      if (limit === 1_000)
        for (const bytes of sizes.slice(0, -1)) expect(bytes).toBeGreaterThan(PAGE_BYTES - 17_000);
    },
  );
});

test.each([7, 1_000])(
  'paging the mailbox with a limit of %i: no page over 256 KiB, no message lost or repeated',
  async (limit) => {
    const { all, sizes } = await walk('getMailbox', 'after', limit, ({ id }) => id);
    expect(all.map(({ seq }) => seq)).toEqual(Array.from({ length: COUNT }, (_, n) => n + 1));
    expect(Math.max(...sizes)).toBeLessThanOrEqual(PAGE_BYTES + ENVELOPE);
  },
);

test('a page that ends exactly with the last message has hasMore false', async () => {
  const { page: older } = await page('listBroadcasts', { after: COUNT - 3, limit: 3 });
  expect([older.messages.length, older.hasMore]).toEqual([3, false]);
  const { page: newer } = await page('listBroadcasts', { before: 4, limit: 3 });
  expect([newer.messages.map(({ seq }) => seq), newer.hasMore]).toEqual([[1, 2, 3], false]);
});

test('paging loses and repeats no message while new ones arrive', async () => {
  let isOver = false;
  const writing = (async () => {
    while (!isOver) await tell(alice!, 'bob', LONGEST);
  })();
  try {
    for (const direction of ['before', 'after'] as const) {
      const { all } = await walk('listDirect', direction, 20);
      expect(all.map(({ seq }) => seq)).toEqual(all.map((_, index) => index + 1));
    }
  } finally {
    isOver = true;
    await writing;
  }
});
