/**
 * Rules for the structure of openapi.yaml, so that client generators in other languages can use it and generated clients
 * keep working when Parley grows. Each fault names its location.
 */
type Json = Record<string, unknown>;
type Parameter = { name: string; in: string };
type Located = { schema: Json; where: string };

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Examples may contain anything. */
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

/** Every object of the document except examples. */
function everywhere(value: unknown, where = '#'): Located[] {
  if (Array.isArray(value)) return value.flatMap((inner, index) => everywhere(inner, `${where}/${index}`));
  if (!isObject(value)) return [];
  const inner = Object.entries(value).filter(
    ([key, it]) => !SAMPLES.has(key) || (isObject(it) && 'type' in it),
  );
  return [{ schema: value, where }, ...inner.flatMap(([key, it]) => everywhere(it, `${where}/${key}`))];
}

function localFaults({ schema, where }: Located): string[] {
  const faults = [];
  const isProperties = where.endsWith('/properties');
  if ('const' in schema && !isProperties)
    faults.push(`${where}: use an enum with one value instead of const`);
  if ('$ref' in schema && 'default' in schema && !isProperties)
    faults.push(`${where}: some tools ignore a default beside a $ref: move it into the schema`);
  return faults;
}

/** Some tools do not accept a relative URL. */
function serverFaults({ servers }: Json): string[] {
  const urls = Array.isArray(servers) ? servers.map(({ url }: { url: string }) => url) : [];
  return urls.some((url) => /^https?:/.test(url)) ? [] : ['#/servers: at least one URL must be absolute'];
}

const METHODS = new Set(['get', 'put', 'post', 'delete', 'patch', 'options', 'head', 'trace']);

function operations({ paths }: Json): [string, Json][] {
  return Object.entries(paths as Record<string, Json>).flatMap(([path, item]) =>
    Object.entries(item).flatMap(([method, operation]): [string, Json][] =>
      METHODS.has(method) ? [[`${method} ${path}`, operation as Json]] : [],
    ),
  );
}

/** Many generators map `Last-Event-ID`, `lastEventId` and `last_event_id` to the same name, regardless of their location. */
function nameFaults(document: Json, where: string, { parameters = [] }: Json): string[] {
  const names = (parameters as Json[]).map((each) => {
    const { name } = follow(document, each) as Parameter;
    return name.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
  });
  return names
    .filter((name, index) => names.indexOf(name) !== index)
    .map((name) => `${where}: many generators name two parameters ${name}`);
}

/** Unknown fields are rejected in requests and must be allowed in responses. */
function strictness(document: Json, where: string, root: unknown, strict: boolean): string[] {
  const faults = new Set<string>();
  const seen = new Set<unknown>();
  const walk = (value: unknown, place: string): void => {
    if (Array.isArray(value)) for (const each of value) walk(each, place);
    if (!isObject(value) || seen.has(value)) return;
    seen.add(value);
    if (typeof value['$ref'] === 'string') walk(follow(document, value), value['$ref']);
    if (isObject(value['properties']) && (value['additionalProperties'] === false) !== strict)
      faults.add(
        strict
          ? `${where} accepts ${place}: additionalProperties: false is missing`
          : `${where} returns ${place}: additionalProperties: false is not allowed, responses must be able to grow`,
      );
    if (strict && typeof value['pattern'] === 'string' && !value['x-pattern-says'])
      faults.add(`${where} accepts ${place}: x-pattern-says, the error message for the pattern, is missing`);
    for (const [key, inner] of Object.entries(value)) if (!SAMPLES.has(key)) walk(inner, `${place}/${key}`);
  };
  walk(root, strict ? 'requestBody' : 'responses');
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
