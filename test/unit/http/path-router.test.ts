// The path router with other contracts: paths that future operations will need, and mistakes that it must reject.
import { expect, test } from 'vitest';
import { type Document, loadContract, routesOf } from '../../../src/http/openapi.ts';
import { createPathRouter } from '../../../src/http/path-router.ts';

const { document } = loadContract();

/** A contract with one operation. */
function contractWith(path: string, operation: object = {}): Document {
  const parameters = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    ...{ name: name!, in: 'path' as const, required: true, schema: { type: 'string' } },
  }));
  const get = { operationId: 'getMe' as const, parameters, ...operation };
  return { ...document, paths: { [path]: { get } } };
}
const finderFor = (path: string) => createPathRouter(routesOf(contractWith(path)));

test.each([
  ['/v1/rooms/{room}/messages', '/v1/rooms/tea/messages', { room: 'tea' }],
  ['/v1/rooms/{room}/members/{username}', '/v1/rooms/tea/members/bob', { room: 'tea', username: 'bob' }],
  ['/v1/rooms/{room}/messages', '/v1/rooms/a%2Fb%20c/messages', { room: 'a/b c' }],
  ['/v1/rooms/{room}', '/v1/rooms/%E6%9D%8E', { room: '李' }],
  ['/v1/rooms/{room}', '/v1/rooms/a%3Ab;c', { room: 'a:b;c' }],
] as const)('%s serves %s', (path, requested, parameters) => {
  const match = finderFor(path)(requested);
  expect(match?.entry.path).toBe(path);
  expect({ ...match?.parameters }).toEqual(parameters);
  expect([...match!.entry.byMethod.keys()]).toEqual(['GET', 'HEAD']);
});

test.each([
  ['another case', '/v1/Rooms/tea/messages'],
  ['a slash at the end', '/v1/rooms/tea/messages/'],
  ['a doubled slash', '/v1//rooms/tea/messages'],
  ['an empty parameter', '/v1/rooms//messages'],
  ['an encoded literal', '/v1/rooms/tea/m%65ssages'],
  ['an encoded slash between segments', '/v1/rooms%2Ftea/messages'],
  ['a dot segment', '/v1/rooms/../rooms/tea/messages'],
  ['a longer path', '/v1/rooms/tea/messages/1'],
  ['a path longer than 4,096 characters', `/v1/rooms/${'a'.repeat(4_096)}/messages`],
])('%s is not found', (_, requested) => {
  expect(finderFor('/v1/rooms/{room}/messages')(requested)).toBeUndefined();
});

test.each(['%', '%zz', '%ff', '%E6%9D'])('throws URIError for a path with %s', (room) => {
  expect(() => finderFor('/v1/rooms/{room}/messages')(`/v1/rooms/${room}/messages`)).toThrow(URIError);
});

test.each(['v1/rooms', '/v1/rooms/', '/v1/{a}-{b}', '/v1/{a', '/v1/:room', '/v1/*', '/v1/room(s)', ''])(
  'the path "%s" stops the server at start-up',
  (path) => {
    expect(() => finderFor(path)).toThrow(/cannot serve/);
  },
);

test('two paths that differ only in the name of a parameter stop the server at start-up', () => {
  const paths = { ...contractWith('/v1/{a}').paths, ...contractWith('/v1/{b}').paths };
  expect(() => createPathRouter(routesOf({ ...document, paths }))).toThrow();
});

test('a path parameter that is not declared stops the server at start-up', () => {
  expect(() => routesOf(contractWith('/v1/{room}', { parameters: [] }))).toThrow(/path parameters \[\]/);
});

test.each([
  ['a scheme without an authenticator', { security: [{ apiKey: [] }] }],
  ['two schemes at a time', { security: [{ bearerAuth: [], ticket: [] }] }],
  ['an optional scheme', { security: [{}] }],
])('%s stops the server at start-up', (_, operation) => {
  expect(() => routesOf(contractWith('/v1/a', operation))).toThrow(/use one scheme of bearerAuth, ticket/);
});

test('an operation without security stops the server at start-up if there is no default', () => {
  const { security, ...bare } = contractWith('/v1/a');
  expect(security).toBeDefined();
  expect(() => routesOf(bare)).toThrow(/has no security/);
  expect(() => routesOf({ ...bare, security: [] })).toThrow(/has no security/);
});
