/** openapi.yaml, read once: the operations to mount and a validator for each of their inputs. */
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
  /** What it was called once: still taken, but no longer told to anybody. */
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
  /** As the contract writes it: `/v1/users/{username}`. */
  path: string;
  /** Whether it has parameters in path, query or headers; most have none. */
  hasParameters: boolean;
  /** The security schemes that it accepts, in the order of preference; none: the operation is public. */
  security: SecurityScheme[];
  /** Parameters that had another name once: `query/lastEventId` and the like, and what each is now. */
  renamed: [former: string, name: string][];
  /** The header parameters it reads. */
  headers: string[];
  checkParameters: (values: Record<string, unknown>) => InputError[];
  /** Undefined where the operation takes no body. */
  checkBody: ((body: unknown) => InputError[]) | undefined;
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

/** Parameters are one object, `query/limit`, `path/username`, `header/Last-Event-ID`, so that one validator serves. */
export function routesOf(document: Document): Route[] {
  const forBodies = compilers(document, { strict: false });
  const forParameters = compilers(document, { strict: false, coerceTypes: true });
  return Object.entries(document.paths).flatMap(([path, item]) =>
    METHODS.flatMap((method) => {
      const operation = item[method];
      if (!operation) return [];
      const parameters = (operation.parameters ?? []).map((each) => resolve(document, each));
      checkPath(path, parameters);
      const body = operation.requestBody?.content['application/json']?.schema;
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
      };
      return [route];
    }),
  );
}

/** The names in a path and the path parameters that are declared for it must be the same. */
function checkPath(path: string, parameters: Parameter[]): void {
  const declared = parameters.filter((each) => each.in === 'path').map(({ name }) => name);
  const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
  if (named.toSorted().join() !== declared.toSorted().join())
    throw new Error(`openapi.yaml: ${path} declares the path parameters [${declared.join(', ')}]`);
}

/** Public is only what says `security: []` itself. Each requirement is one scheme; any of them is enough. */
function securityOf({ security: common = [] }: Document, operation: OperationObject): SecurityScheme[] {
  const { operationId, security = common } = operation;
  if (security.length === 0 && security === common)
    throw new Error(`openapi.yaml: ${operationId} states no security, and there is no default`);
  return security.map((requirement) => {
    const names = Object.keys(requirement);
    const scheme = SECURITY_SCHEMES.find((each) => each === names[0]);
    if (scheme && names.length === 1) return scheme;
    throw new Error(
      `openapi.yaml: ${operationId} requires [${names.join(', ')}]: there is no authenticator for it`,
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
  return document.components[group]?.[name] as T; // redocly's lint proved that it is there
}

/** The document's own `#/components/…` references, as seen from a schema that is compiled by itself. */
function absolute(schema: object): object {
  return JSON.parse(JSON.stringify(schema).replaceAll('"#/components/', '"contract#/components/'));
}

type Compilers = { first: Ajv2020; all: Ajv2020 };

/** One stops at the first error, the other goes on to the last. */
function compilers(document: Document, options: Options): Compilers {
  const compiler = (allErrors: boolean) => {
    // `npm run check` validates these schemas; validating them again would add 220 ms of CPU to every start.
    const ajv = new Ajv2020({ ...options, allErrors, verbose: true, validateSchema: false });
    addFormats.default(ajv);
    return ajv.addSchema({ $id: 'contract', components: document.components });
  };
  return { first: compiler(false), all: compiler(true) };
}

/** Errors that are told at most. */
const MAX_ERRORS = 10;
/** A value with more parts than any that fits, by far, is not looked through for all its errors: it may have thousands. */
const FEW_PARTS = 40;

/** Stops at the first error; only where there can be but few more does it look for them. */
function checker({ first, all }: Compilers, schema: object, what: 'parameters' | 'body') {
  const isGood = first.compile(schema);
  let findAll: ValidateFunction | undefined;
  return (value: unknown): InputError[] => {
    if (isGood(value)) return [];
    findAll ??= all.compile(schema);
    const { errors } = partsOf(value, FEW_PARTS) < FEW_PARTS && !findAll(value) ? findAll : isGood;
    return (errors ?? []).slice(0, MAX_ERRORS).map((each) => toInputError(each, what));
  };
}

/** How many values are in a value, itself included; stops counting at `enough`. */
function partsOf(value: unknown, enough: number): number {
  if (typeof value !== 'object' || value === null || enough <= 1) return 1;
  let parts = 1;
  if (Array.isArray(value) && value.length >= enough) return enough;
  for (const key in value) {
    parts += partsOf((value as Record<string, unknown>)[key], enough - parts);
    if (parts >= enough) break;
  }
  return parts;
}

function toInputError(error: ErrorObject, what: 'parameters' | 'body'): InputError {
  const { params } = error;
  const extra: unknown = params['additionalProperty'] ?? params['missingProperty'];
  const path =
    extra === undefined ? error.instancePath : `${error.instancePath}/${escapePointer(String(extra))}`;
  return { pointer: what === 'body' ? path : path.slice(1).replaceAll('~1', '/'), message: sayError(error) };
}

function sayError({ keyword, message, parentSchema }: ErrorObject): string {
  if (keyword === 'additionalProperties') return 'is not a known field';
  if (keyword === 'required') return 'is missing';
  // A regular expression is of no use to whoever typed a name.
  const words: unknown = keyword === 'pattern' ? parentSchema?.['x-pattern-says'] : undefined;
  return typeof words === 'string' ? words : (message ?? 'is not valid');
}

/** A name that is longer than any of ours is cut: an answer must not grow with what was sent. */
const MAX_NAME = 100;
const escapePointer = (name: string): string =>
  (name.length > MAX_NAME ? `${name.slice(0, MAX_NAME)}…` : name).replaceAll('~', '~0').replaceAll('/', '~1');
