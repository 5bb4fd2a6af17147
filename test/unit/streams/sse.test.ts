import { createParser, type EventSourceMessage } from 'eventsource-parser';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { block, burst, glue } from '../../../src/streams/sse.ts';

function parse(bytes: Buffer): EventSourceMessage[] {
  const events: EventSourceMessage[] = [];
  createParser({ onEvent: (event) => events.push(event) }).feed(bytes.toString());
  return events;
}

test('a frame parses as one event with the exact text of its message', () => {
  const nasty = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom(
      '\n\ndata: x\n\n',
      '\r\nid: 7\r\n',
      '\u2028\u2029\u0085',
      'event: dm\n',
      ':\n',
      '\uFEFF',
      '🎉',
    ),
  );
  fc.assert(
    fc.property(fc.array(nasty, { minLength: 1, maxLength: 5 }), (texts) => {
      const events = parse(
        burst(glue(texts.map((text) => block('broadcast', JSON.stringify({ text })))), 'a~b'),
      );
      expect(events.map(({ data }) => JSON.parse(data).text)).toEqual(texts);
    }),
  );
});

test('only the last event of a burst carries the id', () => {
  const events = parse(burst(glue([block('dm', '1'), block('broadcast', '2'), block('dm', '3')]), 'cursor'));
  expect(events.map(({ event, data, id }) => [event, data, id])).toEqual([
    ['dm', '1', undefined],
    ['broadcast', '2', undefined],
    ['dm', '3', 'cursor'],
  ]);
});

test('a burst of events without a log position carries no id', () => {
  expect(burst(block('presence', '{}'), undefined).toString()).toBe('event: presence\ndata: {}\n\n');
});
