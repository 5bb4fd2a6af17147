/** Every event kind of the contract is observed on a real stream. A new kind without a case here fails. */
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { expect, onTestFinished, test } from 'vitest';
import { listen, login, type Person, person, say, sharedNode, startNode, tell } from '../kit/app.ts';
import { closedDocument } from '../kit/closed.ts';
import { call } from '../kit/contract.ts';
import { openStream, type StreamClient } from '../kit/stream.ts';

type Schema = { oneOf: { $ref: string }[]; discriminator: { mapping: Record<string, string> } };
type Operation = {
  description: string;
  responses: { 200: { content: Record<string, { examples: Record<string, { value: { kind: string } }> }> } };
};

const theNode = sharedNode();
const { oneOf, discriminator } = closedDocument.components['schemas']!['StreamEvent'] as Schema;
const { mapping } = discriminator;
const openStreamOperation = closedDocument.paths['/v1/events']!['get'] as unknown as Operation;

const ajv = new Ajv2020({ strict: false, allErrors: true });
addFormats.default(ajv);
ajv.addSchema({ $id: 'contract', components: closedDocument.components });

/** Causes an event of the given kind; returns the stream that receives it. */
const SIGHTINGS: Record<string, (reader: Person, other: Person) => Promise<StreamClient>> = {
  ready: (reader) => listen(reader),
  broadcast: async (reader, other) => {
    const stream = await listen(reader);
    await say(other, 'Good morning!');
    return stream;
  },
  dm: async (reader, other) => {
    const stream = await listen(reader);
    await tell(other, reader.username, 'Lunch?');
    return stream;
  },
  presence: async (reader, other) => {
    const stream = await listen(reader);
    await listen(other);
    return stream;
  },
  mailbox: async (reader, other) => {
    const stream = await listen(reader);
    const { id } = (await tell(other, reader.username, 'Read it elsewhere')).body;
    const phone = await login(theNode(), reader.username);
    await call(phone.node, 'ackMailbox', { token: phone.token, body: { upTo: id } });
    return stream;
  },
  heartbeat: async (reader) => {
    const node = await startNode({ HEARTBEAT_SECONDS: '1' }, { prefix: theNode().prefix });
    const stream = await openStream(node.url, reader.token, { query: { heartbeat: 'event' } });
    onTestFinished(() => stream.close());
    return stream;
  },
  gap: (reader) => listen(reader, { lastEventId: 'of another server' }),
  goodbye: async (reader) => {
    const stream = await listen(reader);
    await call(reader.node, 'logout', { token: reader.token });
    return stream;
  },
};

test.each(Object.entries(mapping))(
  'the event %s is sent and conforms to the contract',
  async (kind, $ref) => {
    const sight = SIGHTINGS[kind];
    expect(sight, `SIGHTINGS has no case for ${kind}`).toBeDefined();
    const [reader, other] = [
      await person(theNode(), `reader-of-${kind}`),
      await person(theNode(), `${kind}-maker`),
    ];
    const stream = await sight!(reader, other);
    const seen = () => stream.events.find((event) => event.kind === kind);
    const { data } = seen() ?? (await stream.next(kind));
    const fits = ajv.compile({ $ref: `contract${$ref}` });
    expect(fits(data), ajv.errorsText(fits.errors)).toBe(true);
  },
);

test('the union, the table, the examples and the cases list the same event kinds', () => {
  const kinds = Object.keys(mapping).sort();
  expect(oneOf.map(({ $ref }) => $ref).sort()).toEqual(Object.values(mapping).sort());
  expect(Object.keys(SIGHTINGS).sort()).toEqual(kinds);
  const table = [...openStreamOperation.description.matchAll(/^\| `(\w+)` \|/gm)].map(([, kind]) => kind);
  expect(table.sort()).toEqual(kinds);
  const { examples } = openStreamOperation.responses[200].content['text/event-stream']!;
  expect([...new Set(Object.values(examples).map(({ value }) => value.kind))].sort()).toEqual(kinds);
  for (const { value } of Object.values(examples)) {
    const fits = ajv.compile({ $ref: `contract${mapping[value.kind]}` });
    expect(fits(value), ajv.errorsText(fits.errors)).toBe(true);
  }
});
