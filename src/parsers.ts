/** Parsers for the values of settings. Pure, except `secretsFile`, which reads the file. */
import { isIP } from 'node:net';
import { availableParallelism } from 'node:os';
import { domainToASCII } from 'node:url';
import type { RateLimit } from './rate-limit-setting.ts';
import { InvalidRedisUrl, parseRedisUrl } from './redis-url.ts';
import { readSecretFile } from './secret-file.ts';
import { InvalidSecret, parseSecrets, type Secrets } from './secrets.ts';

/** Beyond the cores of any machine. */
const MAX_WORKERS = 256;

/** What a parser throws. The message completes "must be …". */
export class InvalidSetting extends Error {}

export const text = (value: string): string => value;

export function integer(min: number, max: number) {
  return (value: string): number => {
    const number = Number(value);
    if (!/^\d+$/.test(value) || number < min || number > max)
      throw new InvalidSetting(`a whole number from ${min} to ${max}`);
    return number;
  };
}

export function workers(value: string): number {
  if (value === 'auto') return availableParallelism();
  if (!/^\d{1,3}$/.test(value) || Number(value) < 1 || Number(value) > MAX_WORKERS)
    throw new InvalidSetting(`a whole number from 1 to ${MAX_WORKERS}, or auto`);
  return Number(value);
}

export function connections(value: string): number | 'auto' {
  if (value === 'auto') return 'auto';
  if (!/^\d{1,7}$/.test(value)) throw new InvalidSetting('a whole number up to 9999999, or auto');
  return Number(value);
}

export function limit(value: string): RateLimit {
  const [, max, seconds] = /^(\d{1,6})\/(\d{1,6})$/.exec(value === '0' ? '0/1' : value) ?? [];
  if (seconds === undefined || Number(seconds) === 0)
    throw new InvalidSetting('count/seconds, such as 50/10, or 0 for no limit');
  return { max: Number(max), windowMs: Number(seconds) * 1_000 };
}

/** In the notation of Redis: 512mb, 2gb, or bytes. Empty means undefined, 0 no limit. */
export function memory(value: string): number | undefined {
  if (value === '') return undefined;
  const [, count, unit = ''] = /^(\d{1,12})(kb|mb|gb)?$/i.exec(value) ?? [];
  const bytes = Number(count) * 1_024 ** ['', 'kb', 'mb', 'gb'].indexOf(unit.toLowerCase());
  if (count === undefined || (bytes > 0 && bytes < 1_048_576))
    throw new InvalidSetting('bytes, or a size such as 512mb or 2gb, at least 1mb; 0 for no limit');
  return bytes;
}

export function oneOf<T extends string>(...choices: T[]) {
  return (value: string): T => {
    const choice = choices.find((each) => each === value);
    if (!choice) throw new InvalidSetting(`one of ${choices.join(', ')}`);
    return choice;
  };
}

function secretsBy(read: (value: string) => Secrets) {
  return (value: string): Secrets | undefined => {
    try {
      return value ? read(value) : undefined;
    } catch (error) {
      throw error instanceof InvalidSecret ? new InvalidSetting(error.message) : error;
    }
  };
}

export const secrets = secretsBy(parseSecrets);
export const secretsFile = secretsBy(readSecretFile);

export function keyPrefix(value: string): string {
  if (!/^[\w.:-]{0,64}$/.test(value))
    throw new InvalidSetting('at most 64 letters, digits, dots, colons, dashes, underscores');
  return value;
}

/** The URL itself: workers get it as they would from the environment. */
export function redisUrl(value: string): string | undefined {
  try {
    if (value) parseRedisUrl(value);
  } catch (error) {
    throw error instanceof InvalidRedisUrl ? new InvalidSetting(error.message) : error;
  }
  return value || undefined;
}

const list = (value: string): string[] =>
  value
    .split(',')
    .map((each) => each.trim())
    .filter(Boolean);

/** In the form that browsers send. Applications have their own schemes; `null` is a page without an origin. */
function origin(value: string): string {
  if (value === '*' || value === 'null' || /^file:\/{2,3}$/i.test(value))
    return value.replace(/\/{3}$/, '//');
  const [, scheme = '', host = ''] = /^([a-z][a-z\d+.-]*):\/\/([^\s/?#@*\\]+)\/?$/i.exec(value) ?? [];
  if (/^https?$/i.test(scheme) && URL.canParse(value)) return new URL(value).origin;
  if (!scheme || /^https?$/i.test(scheme) || !/^[\w.~-]+(:\d{1,5})?$/.test(host))
    throw new InvalidSetting(
      'origins such as https://app.example or tauri://localhost, without path, user or wildcard; or null; or *',
    );
  return `${scheme.toLowerCase()}://${host}`;
}

export const origins = (value: string): string[] => list(value).map(origin);

/** Names only, because the port is not compared. International names may be written in Unicode. */
export function hosts(value: string): string[] {
  const rule = 'host names such as chat.example, without a port, or *';
  return list(value).map((each) => {
    const bare = each.replace(/^\[(.*)\]$/, '$1');
    if (each === '*' || isIP(bare) > 0) return bare;
    const host = domainToASCII(each);
    if (!/^[\w-]+(\.[\w-]+)*\.?$/.test(host)) throw new InvalidSetting(rule);
    return host;
  });
}

/** The values that Express accepts for `trust proxy`. */
export function trustProxy(value: string): boolean | number | string {
  if (value === 'false' || value === 'true') return value === 'true';
  if (/^\d{1,2}$/.test(value)) return Number(value);
  for (const each of value.split(',')) {
    const [address = '', bits = '0'] = each.trim().split('/');
    const isKnown = ['loopback', 'linklocal', 'uniquelocal'].includes(address) || isIP(address) > 0;
    if (!isKnown || !/^\d{1,3}$/.test(bits))
      throw new InvalidSetting('the number of proxies, or addresses such as 10.0.0.0/8, loopback');
  }
  return value;
}
