/** A reply that nobody expected ends the stream that met it, and nothing else. */
import { expect, test, vi } from 'vitest';
import { until } from '../../kit/app.ts';
import { testHub } from '../../kit/hub.ts';
import { draft } from '../../kit/store.ts';

// Without the report it is an unhandled rejection, which ended the process with all its streams.
test('a stream whose replay meets an unknown reply is closed, so that its client reconnects', async () => {
  const { logs, open, errors } = await testHub();
  for (let i = 0; i < 3; i += 1) await logs.broadcast(draft('carol', `${i}`));
  const socket = await open('alice', 'off', '0~0');
  vi.spyOn(logs, 'read').mockRejectedValue(new Error('MOVED 7045 127.0.0.1:1'));
  socket.drain();
  await until('the stream is closed', () => socket.destroyed);
  await until('the error is reported', () => errors.length > 0);
  expect(errors).toEqual(['a replay: MOVED 7045 127.0.0.1:1']);
});
