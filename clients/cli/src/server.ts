/**
 * The client for the terminal: every text from the server, in responses, problems, events and states, is sanitized here,
 * before any code that prints can see it. Output with --json uses the plain client and escapes on output (escapeJson).
 */
import {
  createParley,
  type EventStream,
  type EventsOptions,
  type Parley,
  type ParleyOptions,
  type StreamEvent,
} from '@parley-chat/client';
import { sanitize, sanitizeLine } from './sanitize.ts';

/** In characters; more than the contract allows. */
const MAX_LENGTH = { text: 16_000, other: 1_000 };
const MAX_DEPTH = 16;

const truncate = (text: string, longest: number): string =>
  text.length > longest ? `${text.slice(0, longest)}…` : text;

/** Returns a sanitized copy. Only message texts may have more than one line. */
function sanitizeDeep<Value>(value: Value, name = '', depth = 0): Value {
  if (depth > MAX_DEPTH) return undefined as Value;
  if (typeof value === 'string') {
    const text =
      name === 'text'
        ? sanitize(truncate(value, MAX_LENGTH.text))
        : sanitizeLine(truncate(value, MAX_LENGTH.other));
    return text as Value;
  }
  if (Array.isArray(value)) return value.map((each) => sanitizeDeep(each, '', depth + 1)) as Value;
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, each]) => [key, sanitizeDeep(each, key, depth + 1)]);
  return Object.fromEntries(entries) as Value;
}

function cleanEvents(parley: Parley, options: EventsOptions): EventStream {
  const { onState } = options;
  const stream = parley.events({
    ...options,
    ...(onState && { onState: (state) => onState(sanitizeDeep(state)) }),
  });
  async function* events(): AsyncGenerator<StreamEvent, void, undefined> {
    for await (const event of stream) yield sanitizeDeep(event);
  }
  return Object.defineProperties(events(), {
    state: { get: () => sanitizeDeep(stream.state) },
    lastEventId: { get: () => stream.lastEventId },
    reconnect: { value: () => stream.reconnect() },
  }) as EventStream; // the generator, plus these three members
}

export function connect(options: ParleyOptions): Parley {
  return new Proxy(createParley(options), {
    get(parley, name) {
      if (name === 'events') return (events: EventsOptions = {}) => cleanEvents(parley, events);
      const member: unknown = Reflect.get(parley, name);
      if (typeof member !== 'function') return sanitizeDeep(member);
      return (...args: unknown[]) => {
        const answer: unknown = member(...args);
        return answer instanceof Promise ? answer.then((value) => sanitizeDeep(value)) : answer;
      };
    },
  });
}
