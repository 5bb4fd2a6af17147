/**
 * Calls an operation of the contract with supertest, and validates the response: status, media type and headers must be
 * documented, and the body must match the schema without any further fields.
 */
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import request from 'supertest';
import { expect } from 'vitest';
import type { OperationId } from '../../src/http/operations/types.ts';
import { closedDocument as document } from './closed.ts';

// biome-ignore lint/suspicious/noExplicitAny: tests read any field of a body; it is validated here
export type CallResult = { status: number; headers: Record<string, string>; body: any; text: string };

type CallInputs = {
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

function findOperation(operationId: OperationId) {
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
  throw new Error(`there is no operation ${operationId} in the contract`);
}

export async function call(
  node: { url: string },
  operationId: OperationId,
  inputs: CallInputs = {},
): Promise<CallResult> {
  const { path, method } = findOperation(operationId);
  const target = path.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(inputs.path?.[name] ?? ''),
  );
  let pending = request(node.url)[method as 'get'](target);
  if (inputs.token !== undefined) pending = pending.set('Authorization', `Bearer ${inputs.token}`);
  for (const [name, value] of Object.entries(inputs.headers ?? {})) pending = pending.set(name, value);
  if (inputs.query) pending = pending.query(inputs.query);
  const response = await (inputs.body === undefined ? pending : pending.send(inputs.body as object));
  expectContract(operationId, response);
  return response;
}

/** Fails if the contract does not document this response for the operation. */
export function expectContract(operationId: OperationId, response: CallResult): void {
  const where = `${operationId} ${response.status}`;
  const documented = findOperation(operationId).responses[response.status];
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
  const isValid = validator(`${where} ${mediaType}`, content[mediaType]!);
  const body = mediaType === 'application/problem+json' ? JSON.parse(response.text) : response.body;
  response.body = body;
  expect(isValid(body), `${where}: ${ajv.errorsText(isValid.errors)} in ${response.text}`).toBe(true);
}

/** Compiled validators, by operation, status and media type. */
const validators = new Map<string, ValidateFunction>();

function validator(name: string, { schema }: Media): ValidateFunction {
  const existing = validators.get(name);
  if (existing) return existing;
  const compiled = ajv.compile(JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"contract#/')));
  validators.set(name, compiled);
  return compiled;
}
