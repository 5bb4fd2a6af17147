/**
 * Maps client addresses to the networks that limits are counted for. A household gets a /64 IPv6 network and often a /56,
 * and a rented server comes with up to a /48. So each IPv6 address counts towards all three, and wider networks have
 * higher limits. IPv4-mapped IPv6 addresses count as IPv4.
 */
import { isIPv4, isIPv6 } from 'node:net';
import proxyAddr from 'proxy-addr';
import type { Network } from '../chat/model.ts';
import type { Logger } from '../logger.ts';
import type { ParleyRequest } from './request-context.ts';

export type { Network };

/** The limits of a wider network, as a multiple of those of a /64. */
const FACTOR_56 = 4;
const FACTOR_48 = 16;
/** The cache is emptied when it is full. */
const CACHED_ADDRESSES = 4_096;
/** Longer than any IP address with a port and a zone. */
const MAX_ADDRESS_LENGTH = 64;

const TRUSTS_ALL =
  'TRUST_PROXY=true trusts any address that a client puts in X-Forwarded-For, which makes limits per network ineffective: ' +
  'set it to the addresses of your reverse proxies';
const TRUSTS_NONE =
  'received X-Forwarded-For, but TRUST_PROXY is false: behind a reverse proxy all clients count as one network; ' +
  'set TRUST_PROXY to the addresses of your reverse proxies';

/** `address` comes from the socket or a proxy, and may have a port. Anything that is not an IP address maps to `unknown`. */
export function networksOf(address: string): Network[] {
  const bare = /^\[(.+)\](?::\d+)?$/.exec(address)?.[1] ?? address.replace(/^([\d.]+):\d+$/, '$1');
  if (isIPv4(bare)) return [{ key: bare, factor: 1 }];
  if (!isIPv6(bare)) return [{ key: 'unknown', factor: 1 }];
  const groups = groupsOf(bare);
  const isMapped = groups.slice(0, 6).join(':') === '0:0:0:0:0:ffff';
  if (isMapped) return [{ key: groups.slice(6).flatMap(bytesOf).join('.'), factor: 1 }];
  const site = groups.slice(0, 3).join(':');
  const [subnet = 0] = bytesOf(groups[3]!);
  return [
    { key: `${site}:${groups[3]}::/64`, factor: 1 },
    { key: `${site}:${(subnet << 8).toString(16)}::/56`, factor: FACTOR_56 },
    { key: `${site}::/48`, factor: FACTOR_48 },
  ];
}

const cache = new Map<string, Network[]>();

/** Like `networksOf`, cached. */
export function networksAt(address: string): Network[] {
  let networks = cache.get(address);
  if (networks) return networks;
  networks = networksOf(address.length > MAX_ADDRESS_LENGTH ? '' : address);
  if (cache.size >= CACHED_ADDRESSES) cache.clear();
  if (address.length <= MAX_ADDRESS_LENGTH) cache.set(address, networks);
  return networks;
}

/** Whether to trust a proxy at this address and hop. `setting` is TRUST_PROXY, with the values of Express' `trust proxy`. */
export function createProxyTrust(
  setting: boolean | number | string,
): (address: string, hop: number) => boolean {
  if (typeof setting === 'boolean') return () => setting;
  if (typeof setting === 'number') return (_address, hop) => hop < setting;
  return proxyAddr.compile(setting.split(',').map((each) => each.trim()));
}

/** Finds the networks of the client that sent a request. Warns if TRUST_PROXY makes limits per network useless. */
export function createNetworksFinder(setting: boolean | number | string, log: Logger) {
  const isTrusted = createProxyTrust(setting);
  if (setting === true) log.warn(TRUSTS_ALL);
  let hasWarned = false;
  return (req: ParleyRequest): Network[] => {
    if (setting !== false) return networksAt(proxyAddr(req, isTrusted));
    if (!hasWarned && req.headers['x-forwarded-for'] !== undefined) {
      hasWarned = true;
      log.warn(TRUSTS_NONE);
    }
    return networksAt(req.socket.remoteAddress ?? '');
  };
}

/** The eight groups of an IPv6 address. `URL` normalizes all notations to the short one in lower case. */
function groupsOf(address: string): string[] {
  const { hostname } = new URL(`http://[${address.replace(/%.*/, '')}]`);
  const [head = [], tail = []] = hostname
    .slice(1, -1)
    .split('::')
    .map((part) => part.split(':').filter(Boolean));
  return [...head, ...Array<string>(8 - head.length - tail.length).fill('0'), ...tail];
}

function bytesOf(group: string): number[] {
  const value = Number.parseInt(group, 16);
  return [value >> 8, value & 255];
}
