/**
 * The client as the terminal uses it: every text that comes from the server, in answers, problems, events and states, is
 * made harmless here, before anything that prints sees it. What is written as JSON is escaped instead (harmlessJson), and
 * comes from the client as it is.
 */
import {
  createParley,
  type EventStream,
  type EventsOptions,
  type Parley,
  type ParleyOptions,
  type StreamEvent,
} from '../client/index.ts';
import { sanitize, sanitizeLine } from './sanitize.ts';

/** Longer than anything that keeps the contract. */
const LONGEST = { text: 16_000, other: 1_000 };
const DEEPEST = 16;

const cut = (text: string, longest: number): string =>
  text.length > longest ? `${text.slice(0, longest)}…` : text;

/** A copy of the same shape. Only the text of a message may have more than one line. */
function clean<Value>(value: Value, name = '', depth = 0): Value {
  if (depth > DEEPEST) return undefined as Value;
  if (typeof value === 'string') {
    const made =
      name === 'text' ? sanitize(cut(value, LONGEST.text)) : sanitizeLine(cut(value, LONGEST.other));
    return made as Value;
  }
  if (Array.isArray(value)) return value.map((each) => clean(each, '', depth + 1)) as Value;
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, each]) => [key, clean(each, key, depth + 1)]);
  return Object.fromEntries(entries) as Value;
}

function cleanEvents(parley: Parley, options: EventsOptions): EventStream {
  const { onState } = options;
  const stream = parley.events({ ...options, ...(onState && { onState: (state) => onState(clean(state)) }) });
  async function* events(): AsyncGenerator<StreamEvent, void, undefined> {
    for await (const event of stream) yield clean(event);
  }
  return Object.defineProperties(events(), {
    state: { get: () => clean(stream.state) },
    lastEventId: { get: () => stream.lastEventId },
    reconnect: { value: () => stream.reconnect() },
  }) as EventStream; // these three are what it has beside a generator
}

export function connect(options: ParleyOptions): Parley {
  return new Proxy(createParley(options), {
    get(parley, name) {
      if (name === 'events') return (events: EventsOptions = {}) => cleanEvents(parley, events);
      const member: unknown = Reflect.get(parley, name);
      if (typeof member !== 'function') return clean(member);
      return (...given: unknown[]) => {
        const answer: unknown = member(...given);
        return answer instanceof Promise ? answer.then((value) => clean(value)) : answer;
      };
    },
  });
}
