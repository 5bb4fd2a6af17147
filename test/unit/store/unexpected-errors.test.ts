import { expect, test } from 'vitest';
import { StoreUnavailable } from '../../../src/store/redis/client.ts';
import { createErrorReport } from '../../../src/store/unexpected-errors.ts';

test('an unexpected error is logged once until there is another one, and an unavailable Redis is not', () => {
  const logged: string[] = [];
  const report = createErrorReport({ warn: (message) => void logged.push(message) });
  report('the heartbeat', new StoreUnavailable('away'));
  for (const reason of ['MOVED 1', 'MOVED 1', 'ERR x', 'MOVED 1']) report('the heartbeat', new Error(reason));
  report('the log poller', new Error('MOVED 1'));
  expect(logged).toEqual([
    'unexpected error in the heartbeat: MOVED 1',
    'unexpected error in the heartbeat: ERR x',
    'unexpected error in the heartbeat: MOVED 1',
    'unexpected error in the log poller: MOVED 1',
  ]);
});
