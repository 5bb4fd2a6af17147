/** Sends requests that a well-behaved client would not send, and checks the form of problems. */
import http from 'node:http';
import { connect } from 'node:net';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { expect } from 'vitest';
import { PROBLEMS, type ProblemCode } from '../../src/chat/problems.ts';
import { closedDocument } from './closed.ts';

export type Answer = {
  status: number;
  headers: http.IncomingHttpHeaders;
  // biome-ignore lint/suspicious/noExplicitAny: tests read any field of a body
  body: any;
  text: string;
};
type SendOptions = { token?: string; headers?: http.OutgoingHttpHeaders; body?: string | Buffer | object };

/** Sends one request without normalizing its path or body. Objects are sent as JSON. */
export function send(
  node: { url: string },
  method: string,
  path: string,
  { token, headers, body }: SendOptions = {},
): Promise<Answer> {
  const { hostname, port } = new URL(node.url);
  const isJson = typeof body === 'object' && !Buffer.isBuffer(body);
  const bytes = isJson ? JSON.stringify(body) : body;
  return new Promise((resolve, reject) => {
    const request = http.request({
      ...{ hostname, port, method, path, agent: false },
      headers: {
        ...(token !== undefined && { Authorization: `Bearer ${token}` }),
        ...(isJson && { 'Content-Type': 'application/json' }),
        ...(bytes !== undefined &&
          !headers?.['Transfer-Encoding'] && { 'Content-Length': Buffer.byteLength(bytes) }),
        ...headers,
      },
    });
    request.on('error', reject).on('response', async (response) => {
      const text = (await response.setEncoding('utf8').toArray()).join('');
      resolve({ ...parseBody(response.headers, text), status: response.statusCode ?? 0 });
    });
    request.end(bytes);
  });
}

/** Sends bytes and returns everything received until the server closes. */
export async function exchangeRaw(
  node: { url: string },
  bytes: string | Buffer,
  { isWhole = true } = {},
): Promise<string> {
  const { hostname, port } = new URL(node.url);
  const socket = connect(Number(port), hostname);
  if (isWhole) socket.end(bytes);
  else socket.write(bytes);
  return (await socket.setEncoding('utf8').toArray()).join('');
}

/** Sends bytes and returns the first response. Unless `isWhole`, this side stays open until the server closes. */
export async function sendRaw(
  node: { url: string },
  bytes: string | Buffer,
  more?: { isWhole: boolean },
): Promise<Answer> {
  return answerOf(await exchangeRaw(node, bytes, more));
}

/** Parses a response. */
export function answerOf(output: string): Answer {
  const [head = '', text = ''] = output.split('\r\n\r\n', 2);
  const [statusLine = '', ...lines] = head.split('\r\n');
  const headers = Object.fromEntries(
    lines.map((line) => [line.split(':')[0]!.toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
  );
  return { ...parseBody(headers, text), status: Number(statusLine.split(' ')[1]) };
}

function parseBody(headers: http.IncomingHttpHeaders, text: string): Omit<Answer, 'status'> {
  return {
    headers,
    text,
    body: /json(;|$)/.test(headers['content-type'] ?? '') && text ? JSON.parse(text) : text,
  };
}

const ajv = new Ajv2020({ strict: false, allErrors: true });
addFormats.default(ajv);
ajv.addSchema({ $id: 'contract', components: closedDocument.components });
const isProblem = ajv.compile({ $ref: 'contract#/components/schemas/Problem' });

/** Expects everything that the contract guarantees for a problem, and an error at `pointer` if given. */
export function expectProblem(answer: Omit<Answer, 'text'>, code: ProblemCode, pointer?: string): void {
  const { headers, body } = answer;
  const { status, title } = PROBLEMS[code];
  expect(answer.status, JSON.stringify(body)).toBe(status);
  expect(headers['content-type']).toMatch(/^application\/problem\+json(;|$)/);
  expect(isProblem(body), `${ajv.errorsText(isProblem.errors)}: ${JSON.stringify(body)}`).toBe(true);
  const requestId = headers['x-request-id'];
  expect(body).toMatchObject({ type: `urn:parley:problem:${code}`, code, title, status, requestId });
  expect(requestId).toBeDefined();
  expect(body.detail).not.toBe('');
  if (status === 401) expect(headers['www-authenticate']).toMatch(/^Bearer/);
  if (status === 405) expect(headers['allow']).toMatch(/^[A-Z]+(, [A-Z]+)*$/);
  if (status === 429 || status === 503) expect(headers['retry-after']).toMatch(/^[1-9]\d*$/);
  if (pointer === undefined) return;
  expect(body.errors.map((each: { pointer: string }) => each.pointer)).toContain(pointer);
}
