/**
 * Calls an operation of the contract with supertest and holds the answer to the contract: a status that is documented,
 * the documented media type and headers, and a body that fits the schema and has nothing else in it.
 */
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import request from 'supertest';
import { expect } from 'vitest';
import type { OperationId } from '../../src/http/operations/types.ts';
import { closedDocument as document } from './closed.ts';

// biome-ignore lint/suspicious/noExplicitAny: tests look into answers freely; their shape is validated here
export type Called = { status: number; headers: Record<string, string>; body: any; text: string };

type Given = {
  token?: string | undefined;
  path?: Record<string, string>;
  query?: Record<string, string | number>;
  headers?: Record<string, string>;
  body?: unknown;
};
type Media = { schema?: object };
type ResponseObject = {
  $ref?: string;
  headers?: Record<string, { required?: boolean; $ref?: string }>;
  content?: Record<string, Media>;
};

const ajv = new Ajv2020({ strict: false, allErrors: true });
addFormats.default(ajv);
ajv.addSchema({ $id: 'contract', ...document });

const deref = <T>(value: T & { $ref?: string }): T => {
  if (!value.$ref) return value;
  const [, , group = '', name = ''] = value.$ref.split('/');
  return document.components[group]?.[name] as T;
};

function find(operationId: OperationId) {
  for (const [path, item] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(item)) {
      if (operation.operationId === operationId) {
        return {
          path,
          method,
          responses: (operation as unknown as { responses: Record<string, ResponseObject> }).responses,
        };
      }
    }
  }
  throw new Error(`the contract has no ${operationId}`);
}

export async function call(
  node: { url: string },
  operationId: OperationId,
  given: Given = {},
): Promise<Called> {
  const { path, method } = find(operationId);
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(given.path?.[name] ?? ''),
  );
  let sending = request(node.url)[method as 'get'](filled);
  if (given.token !== undefined) sending = sending.set('Authorization', `Bearer ${given.token}`);
  for (const [name, value] of Object.entries(given.headers ?? {})) sending = sending.set(name, value);
  if (given.query) sending = sending.query(given.query);
  const response = await (given.body === undefined ? sending : sending.send(given.body as object));
  expectContract(operationId, response);
  return response;
}

/** Fails unless the contract says that this operation may answer so. */
export function expectContract(operationId: OperationId, response: Called): void {
  const where = `${operationId} ${response.status}`;
  const documented = find(operationId).responses[response.status];
  expect(documented, `${where} is not in the contract: ${response.text}`).toBeDefined();
  const { headers = {}, content } = deref(documented!);
  for (const [name, header] of Object.entries(headers)) {
    if (deref(header).required) expect(response.headers, where).toHaveProperty(name.toLowerCase());
  }
  if (!content) {
    expect(response.text, where).toBe('');
    return;
  }
  const mediaType = response.headers['content-type']?.split(';')[0] ?? '';
  expect(Object.keys(content), where).toContain(mediaType);
  const fits = validator(`${where} ${mediaType}`, content[mediaType]!);
  const body = mediaType === 'application/problem+json' ? JSON.parse(response.text) : response.body;
  response.body = body;
  expect(fits(body), `${where}: ${ajv.errorsText(fits.errors)} in ${response.text}`).toBe(true);
}

/** Compiled once for each answer that the contract knows. */
const validators = new Map<string, ValidateFunction>();

function validator(name: string, { schema }: Media): ValidateFunction {
  const known = validators.get(name);
  if (known) return known;
  const compiled = ajv.compile(JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"contract#/')));
  validators.set(name, compiled);
  return compiled;
}
