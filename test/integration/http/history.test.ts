import { describe, expect, test } from 'vitest';
import { type Person, person, say, startNode, tell } from '../../kit/app.ts';
import { type CallResult, call } from '../../kit/contract.ts';
import { expectProblem } from '../../kit/http.ts';

type Query = Record<string, number>;
type Log = {
  send: (who: Person, text: string) => Promise<CallResult>;
  list: (who: Person, query: Query) => Promise<CallResult>;
};
const LOGS: [string, Log][] = [
  [
    'the broadcasts',
    { send: say, list: (who, query) => call(who.node, 'listBroadcasts', { ...who, query }) },
  ],
  [
    'a conversation',
    {
      send: (who, text) => tell(who, 'bob', text),
      list: (who, query) => call(who.node, 'listDirect', { ...who, query, path: { username: 'bob' } }),
    },
  ],
];

describe.each(LOGS)('the history of %s', (_, { send, list }) => {
  async function logOf(count: number, settings: Record<string, string> = {}) {
    const node = await startNode(settings);
    const alice = await person(node, 'alice');
    await person(node, 'bob');
    for (let seq = 1; seq <= count; seq += 1) await send(alice, `message ${seq}`);
    return async (query: Query) => {
      const { status, body } = await list(alice, query);
      expect(status).toBe(200);
      return [body.messages.map(({ seq }: { seq: number }) => seq), body.hasMore] as const;
    };
  }

  test('is empty at first, for any parameters', async () => {
    const page = await logOf(0);
    for (const query of [
      {},
      { limit: 1 },
      { before: 0 },
      { before: 1 },
      { before: 99 },
      { after: 0 },
      { after: 99 },
    ])
      expect(await page(query as Query)).toEqual([[], false]);
  });

  test('is listed oldest first; `hasMore` reports further messages in the direction of paging', async () => {
    const page = await logOf(5);
    const cases: [Query, number[], boolean][] = [
      [{}, [1, 2, 3, 4, 5], false],
      [{ limit: 5 }, [1, 2, 3, 4, 5], false],
      [{ limit: 4 }, [2, 3, 4, 5], true],
      [{ limit: 1 }, [5], true],
      [{ before: 5, limit: 2 }, [3, 4], true],
      [{ before: 3, limit: 2 }, [1, 2], false],
      [{ before: 3, limit: 1 }, [2], true],
      [{ before: 1 }, [], false],
      [{ before: 0 }, [], false],
      [{ before: 6, limit: 2 }, [4, 5], true],
      [{ before: Number.MAX_SAFE_INTEGER, limit: 5 }, [1, 2, 3, 4, 5], false],
      [{ after: 0, limit: 2 }, [1, 2], true],
      [{ after: 2, limit: 2 }, [3, 4], true],
      [{ after: 3, limit: 2 }, [4, 5], false],
      [{ after: 4 }, [5], false],
      [{ after: 5 }, [], false],
      [{ after: Number.MAX_SAFE_INTEGER }, [], false],
    ];
    for (const [query, seqs, hasMore] of cases)
      expect(await page(query), JSON.stringify(query)).toEqual([seqs, hasMore]);
  });

  test('begins with the oldest message that was not trimmed', async () => {
    const page = await logOf(5, { BROADCAST_LIMIT: '3', HISTORY_LIMIT: '3' });
    expect(await page({})).toEqual([[3, 4, 5], false]);
    expect(await page({ after: 0, limit: 2 })).toEqual([[3, 4], true]);
    expect(await page({ after: 1, limit: 3 })).toEqual([[3, 4, 5], false]);
    expect(await page({ before: 4 })).toEqual([[3], false]);
    expect(await page({ before: 3 })).toEqual([[], false]);
  });

  test('has 50 messages per page by default', async () => {
    const page = await logOf(51);
    const [newest, hasMore] = await page({});
    expect([newest.length, newest[0], hasMore]).toEqual([50, 2, true]);
    const [oldest, hasNewer] = await page({ after: 0 });
    expect([oldest.length, oldest[0], hasNewer]).toEqual([50, 1, true]);
  });

  test('rejects `before` together with `after`', async () => {
    const node = await startNode();
    const alice = await person(node, 'alice');
    await person(node, 'bob');
    expectProblem(await list(alice, { before: 3, after: 1 }), 'validation_failed', 'query/before');
  });
});
