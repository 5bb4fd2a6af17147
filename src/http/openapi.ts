/** Loads openapi.yaml: the routes, and a validator for the inputs of each operation. */
import { readFileSync } from 'node:fs';
import { Ajv2020, type ErrorObject, type Options, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { parse } from 'yaml';
import type { InputError } from '../chat/problems.ts';
import { SECURITY_SCHEMES, type SecurityScheme } from './authentication.ts';
import type { OperationId } from './operations/types.ts';

/** The parts of an OpenAPI document that the router needs. */
type Parameter = {
  name: string;
  in: 'path' | 'query' | 'header';
  required?: boolean;
  schema: object;
  /** An earlier name, which is still accepted but no longer documented. */
  'x-former-name'?: string;
};
type Ref = { $ref: string };
type OperationObject = {
  operationId: OperationId;
  security?: object[];
  parameters?: (Parameter | Ref)[];
  requestBody?: { content: Record<string, { schema: object }> };
};
export type Document = {
  security?: object[];
  paths: Record<string, Record<string, OperationObject>>;
  components: Record<string, Record<string, unknown>>;
};

export type Route = {
  operationId: OperationId;
  method: string;
  /** In the notation of the contract: `/v1/users/{username}`. */
  path: string;
  /** Whether there are parameters in path, query or headers. */
  hasParameters: boolean;
  /** The accepted security schemes, in order of preference; empty for a public operation. */
  security: SecurityScheme[];
  /** Parameters with an earlier name that is still accepted, such as `query/lastEventId`. */
  renamed: [former: string, name: string][];
  /** The names of the header parameters. */
  headers: string[];
  checkParameters: (values: Record<string, unknown>) => InputError[];
  /** Undefined if the operation takes no body. */
  checkBody: ((body: unknown) => InputError[]) | undefined;
  /** Whether the body may also be `text/plain`, which means `{ text }`. */
  acceptsText: boolean;
};

const METHODS = ['get', 'post', 'put', 'patch', 'delete'];

export type Contract = { yaml: string; document: Document; routes: Route[] };
let contract: Contract | undefined;

export function loadContract(): Contract {
  if (!contract) {
    const yaml = readFileSync(new URL('../../openapi.yaml', import.meta.url), 'utf8');
    const document: Document = parse(yaml);
    contract = { yaml, document, routes: routesOf(document) };
  }
  return contract;
}

/** The parameters of an operation are one object (`query/limit`, `path/username`, …), so one validator checks them all. */
export function routesOf(document: Document): Route[] {
  const forBodies = compilers(document, { strict: false });
  const forParameters = compilers(document, { strict: false, coerceTypes: true });
  return Object.entries(document.paths).flatMap(([path, item]) =>
    METHODS.flatMap((method) => {
      const operation = item[method];
      if (!operation) return [];
      const parameters = (operation.parameters ?? []).map((each) => resolve(document, each));
      checkPath(path, parameters);
      const content = operation.requestBody?.content;
      const body = content?.['application/json']?.schema;
      const route: Route = {
        operationId: operation.operationId,
        method,
        path,
        hasParameters: parameters.length > 0,
        security: securityOf(document, operation),
        renamed: parameters.flatMap(({ in: place, name, 'x-former-name': former }) =>
          former ? [[`${place}/${former}`, `${place}/${name}`] as [string, string]] : [],
        ),
        headers: parameters.filter((each) => each.in === 'header').map((each) => each.name),
        checkParameters: checker(forParameters, absolute(parametersSchema(parameters)), 'parameters'),
        checkBody: body && checker(forBodies, absolute(body), 'body'),
        acceptsText: content?.['text/plain'] !== undefined,
      };
      return [route];
    }),
  );
}

function checkPath(path: string, parameters: Parameter[]): void {
  const declared = parameters.filter((each) => each.in === 'path').map(({ name }) => name);
  const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
  if (named.toSorted().join() !== declared.toSorted().join())
    throw new Error(
      `openapi.yaml: ${path} declares the path parameters [${declared.join(', ')}]: declare exactly those in the path`,
    );
}

/** Only an explicit `security: []` makes an operation public. Each requirement names one scheme; any of them suffices. */
function securityOf({ security: common = [] }: Document, operation: OperationObject): SecurityScheme[] {
  const { operationId, security = common } = operation;
  if (security.length === 0 && security === common)
    throw new Error(`openapi.yaml: ${operationId} has no security and there is no default: add one of them`);
  return security.map((requirement) => {
    const names = Object.keys(requirement);
    const scheme = SECURITY_SCHEMES.find((each) => each === names[0]);
    if (scheme && names.length === 1) return scheme;
    throw new Error(
      `openapi.yaml: ${operationId} requires [${names.join(', ')}]: use one scheme of ${SECURITY_SCHEMES.join(', ')}`,
    );
  });
}

function parametersSchema(parameters: Parameter[]): object {
  const properties = Object.fromEntries(parameters.map((each) => [`${each.in}/${each.name}`, each.schema]));
  const required = parameters.filter((each) => each.required).map((each) => `${each.in}/${each.name}`);
  return { type: 'object', properties, required };
}

function resolve<T extends object>(document: Document, value: T | Ref): T {
  if (!('$ref' in value)) return value;
  const [, , group = '', name = ''] = value.$ref.split('/');
  return document.components[group]?.[name] as T; // redocly's lint checks that it exists
}

/** Makes `#/components/…` references absolute, because each schema is compiled on its own. */
function absolute(schema: object): object {
  return JSON.parse(JSON.stringify(schema).replaceAll('"#/components/', '"contract#/components/'));
}

type Compilers = { first: Ajv2020; all: Ajv2020 };

/** `first` stops at the first error; `all` reports every error. */
function compilers(document: Document, options: Options): Compilers {
  const compiler = (allErrors: boolean) => {
    // `npm run check` validates these schemas; validating them again would cost 220 ms of CPU at every start.
    const ajv = new Ajv2020({ ...options, allErrors, verbose: true, validateSchema: false });
    addFormats.default(ajv);
    return ajv.addSchema({ $id: 'contract', components: document.components });
  };
  return { first: compiler(false), all: compiler(true) };
}

/** At most this many errors are reported. */
const MAX_ERRORS = 10;
/** Far more values than a valid input has. Larger inputs may have thousands of errors, so only the first is reported. */
const MAX_VALUES = 40;

function checker({ first, all }: Compilers, schema: object, what: 'parameters' | 'body') {
  const isValid = first.compile(schema);
  let findAll: ValidateFunction | undefined;
  return (value: unknown): InputError[] => {
    if (isValid(value)) return [];
    findAll ??= all.compile(schema);
    const isSmall = countValues(value, MAX_VALUES) < MAX_VALUES;
    const { errors } = isSmall && !findAll(value) ? findAll : isValid;
    return (errors ?? []).slice(0, MAX_ERRORS).map((each) => toInputError(each, what));
  };
}

/** Counts a value and all values inside it; stops at `max`. */
function countValues(value: unknown, max: number): number {
  if (typeof value !== 'object' || value === null || max <= 1) return 1;
  let count = 1;
  if (Array.isArray(value) && value.length >= max) return max;
  for (const key in value) {
    count += countValues((value as Record<string, unknown>)[key], max - count);
    if (count >= max) break;
  }
  return count;
}

function toInputError(error: ErrorObject, what: 'parameters' | 'body'): InputError {
  const { params } = error;
  const extra: unknown = params['additionalProperty'] ?? params['missingProperty'];
  const path =
    extra === undefined ? error.instancePath : `${error.instancePath}/${escapePointer(String(extra))}`;
  return { pointer: what === 'body' ? path : path.slice(1).replaceAll('~1', '/'), message: messageOf(error) };
}

function messageOf({ keyword, message, parentSchema }: ErrorObject): string {
  if (keyword === 'additionalProperties') return 'is not a known field';
  if (keyword === 'required') return 'is missing';
  // Users cannot be expected to read a regular expression.
  const explanation: unknown = keyword === 'pattern' ? parentSchema?.['x-pattern-says'] : undefined;
  return typeof explanation === 'string' ? explanation : (message ?? 'is not valid');
}

/** Longer names are truncated, so that the size of a response does not depend on the input. */
const MAX_NAME = 100;
const escapePointer = (name: string): string =>
  (name.length > MAX_NAME ? `${name.slice(0, MAX_NAME)}…` : name).replaceAll('~', '~0').replaceAll('/', '~1');
