/** Access tokens: every known way to forge a JWT is rejected. */
import { createHmac, generateKeyPairSync } from 'node:crypto';
import jwt from 'jsonwebtoken';
import { expect, test } from 'vitest';
import { JWT_SECRET, person, sharedNode } from '../../kit/app.ts';
import { expectProblem, send } from '../../kit/http.ts';

const theNode = sharedNode();

type Claims = Record<string, unknown>;
const base64 = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const HEADER = { alg: 'HS256', typ: 'at+jwt' };

/** Signs headers and claims that jsonwebtoken would reject. */
function forge(header: object, claims: Claims, secret = JWT_SECRET, hash = 'sha256'): string {
  const signed = `${base64(header)}.${base64(claims)}`;
  return `${signed}.${createHmac(hash, secret).update(signed).digest('base64url')}`;
}

function without(claims: Claims, ...names: string[]): Claims {
  return Object.fromEntries(Object.entries(claims).filter(([name]) => !names.includes(name)));
}

const seconds = () => Math.floor(Date.now() / 1_000);
const rsa = () => generateKeyPairSync('rsa', { modulusLength: 2_048 }).privateKey;

/** Each takes the claims of a valid token and the token, and makes one that differs in a single detail. */
const FORGERIES: [string, (claims: Claims, token: string) => string][] = [
  ['garbage', () => 'garbage'],
  ['three arbitrary parts', () => 'a.b.c'],
  ['a header that is not JSON', () => `${Buffer.from('{').toString('base64url')}.e30.e30`],
  ['alg none', (claims) => `${base64({ alg: 'none', typ: 'at+jwt' })}.${base64(claims)}.`],
  ['alg nOnE, signed', (claims) => forge({ ...HEADER, alg: 'nOnE' }, claims)],
  ['no alg', (claims) => forge({ typ: 'at+jwt' }, claims)],
  ['HS384', (claims) => forge({ ...HEADER, alg: 'HS384' }, claims, JWT_SECRET, 'sha384')],
  ['HS512', (claims) => forge({ ...HEADER, alg: 'HS512' }, claims, JWT_SECRET, 'sha512')],
  [
    'RS256',
    (claims) => jwt.sign(claims, rsa(), { algorithm: 'RS256', header: { alg: 'RS256', typ: 'at+jwt' } }),
  ],
  ['HS256 signed with SHA-512', (claims) => forge(HEADER, claims, JWT_SECRET, 'sha512')],
  ['another secret', (claims) => forge(HEADER, claims, 'another secret that nobody knows, 32+ bytes')],
  ['an empty secret', (claims) => forge(HEADER, claims, '')],
  ['no exp', (claims) => forge(HEADER, without(claims, 'exp'))],
  ['exp as text', (claims) => forge(HEADER, { ...claims, exp: '9999999999' })],
  ['exp null', (claims) => forge(HEADER, { ...claims, exp: null })],
  ['no sub', (claims) => forge(HEADER, without(claims, 'sub'))],
  ['sub as a list', (claims) => forge(HEADER, { ...claims, sub: ['alice'] })],
  ['no sid', (claims) => forge(HEADER, without(claims, 'sid'))],
  ['sid as a number', (claims) => forge(HEADER, { ...claims, sid: 1 })],
  ['typ JWT', (claims) => forge({ ...HEADER, typ: 'JWT' }, claims)],
  ['typ of a refresh token', (claims) => forge({ ...HEADER, typ: 'rt+jwt' }, claims)],
  ['no typ', (claims) => forge({ alg: 'HS256' }, claims)],
  ['another issuer', (claims) => forge(HEADER, { ...claims, iss: 'somebody' })],
  ['no issuer', (claims) => forge(HEADER, without(claims, 'iss'))],
  ['another audience', (claims) => forge(HEADER, { ...claims, aud: 'something' })],
  ['no audience', (claims) => forge(HEADER, without(claims, 'aud'))],
  ['not valid yet', (claims) => forge(HEADER, { ...claims, nbf: seconds() + 600 })],
  ['claims that are a list', () => forge(HEADER, [] as unknown as Claims)],
  ['claims that are not an object', () => forge(HEADER, 'alice' as unknown as Claims)],
  [
    'another name with the same signature',
    (claims, token) => token.replace(/\..+\./, `.${base64({ ...claims, sub: 'bob' })}.`),
  ],
  ['no signature', (_, token) => token.replace(/[^.]+$/, '')],
  ['half a signature', (_, token) => token.slice(0, -10)],
  ['an extra part', (_, token) => `${token}.e30`],
];

async function alicesClaims() {
  const node = theNode();
  const alice = await person(node, 'alice');
  await person(node, 'bob');
  return { node, token: alice.token, claims: jwt.decode(alice.token) as Claims };
}

test('an access token has type at+jwt, algorithm HS256, and the claims sub, sid, iss, aud and exp', async () => {
  const { node, token, claims } = await alicesClaims();
  expect(jwt.decode(token, { complete: true })?.header).toEqual(HEADER);
  expect(claims).toMatchObject({ sub: 'alice', sid: expect.any(String), iss: 'parley', aud: 'parley' });
  expect(claims['exp']).toBe(Number(claims['iat']) + 3_600);
  expect(
    (await send(node, 'GET', '/v1/me', { token: forge(HEADER, claims) })).status,
    'forge() makes valid tokens from valid claims',
  ).toBe(200);
});

test('rejects every forged token', async () => {
  const { node, token, claims } = await alicesClaims();
  for (const [name, forgery] of FORGERIES) {
    const answer = await send(node, 'GET', '/v1/me', { token: forgery(claims, token) });
    expect(answer.status, name).toBe(401);
    expectProblem(answer, 'unauthenticated');
  }
});

// For expiry to the millisecond see test/unit/chat/access-tokens.test.ts, which controls the clock.
test.each([1, 3_600])('a token that expired %i s ago returns token_expired', async (ago) => {
  const { node, claims } = await alicesClaims();
  const token = forge(HEADER, { ...claims, exp: seconds() - ago });
  const answer = await send(node, 'GET', '/v1/me', { token });
  expectProblem(answer, 'token_expired');
  expect(answer.body.detail).toContain('refresh');
});

test('accepts a token only as a single Bearer token in the Authorization header', async () => {
  const { node, token } = await alicesClaims();
  const cases: [string, Record<string, string>][] = [
    ['no header', {}],
    ['an empty one', { Authorization: '' }],
    ['no token', { Authorization: 'Bearer' }],
    ['no token but a space', { Authorization: 'Bearer ' }],
    ['another scheme', { Authorization: `Basic ${token}` }],
    ['the token alone', { Authorization: token }],
    ['two tokens', { Authorization: `Bearer ${token} ${token}` }],
    ['a comma', { Authorization: `Bearer ${token},` }],
    ['a cookie', { Cookie: `token=${token}; access_token=${token}` }],
    ['another header', { 'X-Access-Token': token }],
  ];
  for (const [name, headers] of cases) {
    const answer = await send(node, 'GET', '/v1/me', { headers });
    expect(answer.status, name).toBe(401);
    expectProblem(answer, 'unauthenticated');
  }
  for (const name of ['token', 'access_token', 'accessToken', 'authorization']) {
    for (const path of ['/v1/me', '/v1/events'])
      expectProblem(await send(node, 'GET', `${path}?${name}=${token}`), 'unauthenticated');
  }
});

test.each(['Bearer', 'bearer', 'BEARER', 'Bearer  '])(
  'accepts the scheme in any case: %j',
  async (scheme) => {
    const { node, token } = await alicesClaims();
    const answer = await send(node, 'GET', '/v1/me', { headers: { Authorization: `${scheme} ${token}` } });
    expect(answer.status).toBe(200);
  },
);

test('rejects a token of an account that no longer exists in Redis', async () => {
  const { node, claims } = await alicesClaims();
  const token = forge(HEADER, { ...claims, sub: 'carol' });
  expectProblem(await send(node, 'GET', '/v1/me', { token }), 'session_ended');
});
