/**
 * What openapi.yaml may be built of, so that generators of clients in other languages can use it, and clients made from it
 * still work when Parley grows. Each fault names its place.
 */
type Json = Record<string, unknown>;
type Parameter = { name: string; in: string };
type Seen = { schema: Json; where: string };

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Where examples stand, anything may stand. */
const SAMPLES = new Set(['example', 'examples', 'x-codeSamples']);

export function shapeFaults(document: Json): string[] {
  return [
    ...everywhere(document).flatMap(localFaults),
    ...serverFaults(document),
    ...operations(document).flatMap(([where, operation]) => [
      ...nameFaults(document, where, operation),
      ...strictness(document, where, operation['requestBody'], true),
      ...strictness(document, where, operation['responses'], false),
    ]),
  ];
}

/** Every object of the document but samples. */
function everywhere(value: unknown, where = '#'): Seen[] {
  if (Array.isArray(value)) return value.flatMap((inner, index) => everywhere(inner, `${where}/${index}`));
  if (!isObject(value)) return [];
  const inner = Object.entries(value).filter(
    ([key, it]) => !SAMPLES.has(key) || (isObject(it) && 'type' in it),
  );
  return [{ schema: value, where }, ...inner.flatMap(([key, it]) => everywhere(it, `${where}/${key}`))];
}

function localFaults({ schema, where }: Seen): string[] {
  const faults = [];
  const isProperties = where.endsWith('/properties');
  if ('const' in schema && !isProperties) faults.push(`${where}: an enum of one value instead of const`);
  if ('$ref' in schema && 'default' in schema && !isProperties)
    faults.push(`${where}: a default beside a $ref is not seen by some: put it into the schema`);
  return faults;
}

/** Tools that take no relative address need another. */
function serverFaults({ servers }: Json): string[] {
  const urls = Array.isArray(servers) ? servers.map(({ url }: { url: string }) => url) : [];
  return urls.some((url) => /^https?:/.test(url)) ? [] : ['#/servers: one of them must be absolute'];
}

const METHODS = new Set(['get', 'put', 'post', 'delete', 'patch', 'options', 'head', 'trace']);

function operations({ paths }: Json): [string, Json][] {
  return Object.entries(paths as Record<string, Json>).flatMap(([path, item]) =>
    Object.entries(item).flatMap(([method, operation]): [string, Json][] =>
      METHODS.has(method) ? [[`${method} ${path}`, operation as Json]] : [],
    ),
  );
}

/** `Last-Event-ID`, `lastEventId` and `last_event_id` are one name in many languages, wherever they are sent. */
function nameFaults(document: Json, where: string, { parameters = [] }: Json): string[] {
  const names = (parameters as Json[]).map((each) => {
    const { name } = follow(document, each) as Parameter;
    return name.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
  });
  return names
    .filter((name, index) => names.indexOf(name) !== index)
    .map((name) => `${where}: two parameters that many languages call ${name}`);
}

/** Fields that nobody knows are refused in what is sent; in what is answered they must be allowed. */
function strictness(document: Json, where: string, root: unknown, strict: boolean): string[] {
  const faults = new Set<string>();
  const seen = new Set<unknown>();
  const look = (value: unknown, place: string): void => {
    if (Array.isArray(value)) for (const each of value) look(each, place);
    if (!isObject(value) || seen.has(value)) return;
    seen.add(value);
    if (typeof value['$ref'] === 'string') look(follow(document, value), value['$ref']);
    if (isObject(value['properties']) && (value['additionalProperties'] === false) !== strict)
      faults.add(
        strict
          ? `${where} takes ${place}: additionalProperties: false is missing`
          : `${where} answers ${place}: no additionalProperties: false, it must be able to grow`,
      );
    if (strict && typeof value['pattern'] === 'string' && !value['x-pattern-says'])
      faults.add(`${where} takes ${place}: x-pattern-says is missing, what to tell people of the pattern`);
    for (const [key, inner] of Object.entries(value)) if (!SAMPLES.has(key)) look(inner, `${place}/${key}`);
  };
  look(root, strict ? 'requestBody' : 'responses');
  return [...faults];
}

function follow(document: Json, value: Json): unknown {
  const reference = value['$ref'];
  if (typeof reference !== 'string') return value;
  return reference
    .split('/')
    .slice(1)
    .reduce<unknown>((at, key) => (at as Json)[key.replaceAll('~1', '/').replaceAll('~0', '~')], document);
}
