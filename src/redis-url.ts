/**
 * The forms of REDIS_URL. Pure. WHATWG's URL is not used: it takes one host only, and reports neither a password that is not
 * percent-encoded nor a misspelled parameter.
 */

export type Endpoint = { host: string; port: number };
export type Login = { username?: string; password: string };
type Common = { login?: Login; database: number; isTls: boolean };
export type RedisAddress =
  | ({ kind: 'server' } & Endpoint & Common)
  | ({ kind: 'socket'; path: string } & Common)
  | ({ kind: 'sentinel'; sentinels: Endpoint[]; primary: string; sentinelLogin?: Login } & Common)
  | ({ kind: 'cluster'; nodes: Endpoint[] } & Common);

/** A malformed Redis URL. The message completes "REDIS_URL must be …" and never quotes the URL, which may contain a password. */
export class InvalidRedisUrl extends Error {}

const [REDIS_PORT, SENTINEL_PORT] = [6_379, 26_379];
const FORMS = {
  server: 'redis://user:password@host:6379/0',
  socket: 'unix:///path/to/redis.sock?db=0',
  sentinel: 'redis+sentinel://user:password@host1:26379,host2:26379/primary-name?db=0',
  cluster: 'redis+cluster://user:password@host1:6379,host2:6379',
};
/** A cluster is recognized, but not supported yet. */
const SUPPORTED_FORMS = [FORMS.server, FORMS.socket, FORMS.sentinel];
const SCHEMES: Record<string, { kind: 'server' | 'sentinel' | 'cluster'; isTls: boolean }> = {
  redis: { kind: 'server', isTls: false },
  rediss: { kind: 'server', isTls: true },
  'redis+sentinel': { kind: 'sentinel', isTls: false },
  'redis-sentinel': { kind: 'sentinel', isTls: false },
  'rediss+sentinel': { kind: 'sentinel', isTls: true },
  'rediss-sentinel': { kind: 'sentinel', isTls: true },
  'redis+cluster': { kind: 'cluster', isTls: false },
  'rediss+cluster': { kind: 'cluster', isTls: true },
};
const CREDENTIALS = ['username', 'password'];
const PARAMETERS = {
  server: ['db', ...CREDENTIALS],
  socket: ['db', ...CREDENTIALS],
  sentinel: ['db', ...CREDENTIALS, 'sentinel_username', 'sentinel_password'],
  cluster: CREDENTIALS,
};

/** Throws InvalidRedisUrl. */
export function parseRedisUrl(url: string): RedisAddress {
  if (/^(unix:|\/)/i.test(url)) return parseSocket(url);
  const [, scheme = '', rest = ''] = /^([a-z+-]+):\/\/(.*)$/is.exec(url) ?? [];
  const known = SCHEMES[scheme.toLowerCase()];
  if (!known) throw new InvalidRedisUrl(`in one of the forms ${SUPPORTED_FORMS.join(', ')}`);
  const { kind, isTls } = known;
  const form = FORMS[kind];
  const [, authority = '', path = '', query] = /^([^/?#]*)(\/[^?#]*)?(?:\?([^#]*))?$/s.exec(rest) ?? [];
  const [, userinfo, hosts] = /^(?:([^@]*)@)?([^@]*)$/s.exec(authority) ?? [];
  // Any other @, or a # that prevents a match, must come from a password that is not percent-encoded.
  if (
    hosts === undefined ||
    (rest !== '' && authority === '' && path === '') ||
    /@/.test(path + (query ?? ''))
  )
    throw notEncoded(form);
  const parameters = parseQuery(query, PARAMETERS[kind], form);
  const endpoints = hosts.split(',').map((each) => parseHost(each, kind, form));
  const login = parseUserinfo(userinfo, form) ?? loginOf(parameters, '', form);
  const name = decode(path.slice(1), form);
  const common = { ...(login && { login }), isTls };
  if (kind === 'server') {
    if (endpoints.length > 1)
      throw new InvalidRedisUrl(
        `a URL with one host, ${form}; several hosts need Sentinel, ${FORMS.sentinel}`,
      );
    return { kind, ...endpoints[0]!, ...common, database: parseDatabase(parameters['db'] ?? name, form) };
  }
  if (kind === 'cluster') {
    if (name !== '' && name !== '0') throw new InvalidRedisUrl(`${form}; a cluster has database 0 only`);
    return { kind, nodes: endpoints, ...common, database: 0 };
  }
  const [primary = '', database = '', ...others] = name.split('/');
  if (primary === '' || others.length > 0)
    throw new InvalidRedisUrl(`a URL that names the primary as its Sentinels do: ${form}`);
  const sentinelLogin = loginOf(parameters, 'sentinel_', form);
  return {
    ...{ kind, sentinels: endpoints, primary, ...common },
    ...(sentinelLogin && { sentinelLogin }),
    database: parseDatabase(parameters['db'] ?? database, form),
  };
}

function parseSocket(url: string): RedisAddress {
  const form = FORMS.socket;
  const [, path = '', query] = /^(?:unix:(?:\/\/(?=\/))?)?(\/[^?#]+)(?:\?([^#]*))?$/is.exec(url) ?? [];
  if (path === '' || /^\/\//.test(path))
    throw new InvalidRedisUrl(`the absolute path of a unix socket, such as ${form}`);
  const parameters = parseQuery(query, PARAMETERS.socket, form);
  const login = loginOf(parameters, '', form);
  return {
    ...{ kind: 'socket', path: decode(path, form), isTls: false },
    ...(login && { login }),
    database: parseDatabase(parameters['db'] ?? '', form),
  };
}

function parseHost(text: string, kind: keyof typeof FORMS, form: string): Endpoint {
  const [, bracketed, plain, port = kind === 'sentinel' ? SENTINEL_PORT : REDIS_PORT] =
    /^(?:\[([\da-f:.%]+)\]|([\w.-]+))(?::(\d{1,5}))?$/i.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined || Number(port) < 1 || Number(port) > 65_535)
    throw new InvalidRedisUrl(`a URL with hosts and ports as in ${form}, and IPv6 addresses in brackets`);
  return { host, port: Number(port) };
}

function parseUserinfo(text: string | undefined, form: string): Login | undefined {
  if (text === undefined || text === '' || text === ':') return undefined;
  const [, username = '', password] = /^([^:]*):(.+)$/s.exec(text) ?? [];
  if (password === undefined)
    throw new InvalidRedisUrl(
      `a URL with both a user and a password, or only :password, before the @: ${form}`,
    );
  return { ...(username && { username: decode(username, form) }), password: decode(password, form) };
}

function loginOf(parameters: Record<string, string>, prefix: string, form: string): Login | undefined {
  const [username, password] = [parameters[`${prefix}username`], parameters[`${prefix}password`]];
  if (username !== undefined && password === undefined)
    throw new InvalidRedisUrl(`a URL that sets ${prefix}password along with ${prefix}username: ${form}`);
  return password === undefined ? undefined : { ...(username && { username }), password };
}

function parseQuery(query: string | undefined, known: string[], form: string): Record<string, string> {
  const parameters: Record<string, string> = {};
  for (const pair of query ? query.split('&') : []) {
    const [, name = '', value = ''] = /^([^=]*)=(.*)$/s.exec(pair) ?? [];
    if (!known.includes(name) || name in parameters)
      throw new InvalidRedisUrl(
        `a URL whose only parameters are ${known.join(', ')}, each at most once: ${form}`,
      );
    parameters[name] = decode(value, form);
  }
  return parameters;
}

function parseDatabase(text: string, form: string): number {
  if (!/^\d{0,9}$/.test(text)) throw new InvalidRedisUrl(`a URL whose database is a number, such as ${form}`);
  return Number(text);
}

function decode(text: string, form: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw notEncoded(form);
  }
}

const notEncoded = (form: string) =>
  new InvalidRedisUrl(
    `${form} with each special character of user and password percent-encoded: %40 for @, %2F for /, %3A for :, %23 for #, %3F for ?, %25 for %`,
  );
