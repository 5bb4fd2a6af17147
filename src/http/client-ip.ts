/**
 * Whose requests are counted together. A household holds an IPv6 network of 64 bits and often of 56, and whoever rents a
 * server gets 48; so IPv6 is counted at all three, and the wider one has a larger limit. IPv4 written as IPv6 is IPv4.
 */
import { isIPv4, isIPv6 } from 'node:net';
import proxyAddr from 'proxy-addr';
import type { Network } from '../chat/model.ts';
import type { Logger } from '../logger.ts';
import type { ParleyRequest } from './request-context.ts';

export type { Network };

/** How many clients' worth a wider network may use, compared with one of 64 bits. */
const FACTOR_56 = 4;
const FACTOR_48 = 16;
/** Answers kept, thrown away when there are too many; and what is longer is no address. */
const KNOWN_ADDRESSES = 4_096;
const LONGEST_ADDRESS = 64;

const TRUSTS_ALL =
  'TRUST_PROXY=true believes whatever address a client writes into X-Forwarded-For, so that no limit per network holds: ' +
  'set it to the addresses of the proxies in front';
const TRUSTS_NONE =
  'X-Forwarded-For has come and TRUST_PROXY is false: if a proxy stands in front, everybody behind it counts as one ' +
  'network; set TRUST_PROXY to the addresses of the proxies in front';

/** `address` as the socket or a proxy says it; some proxies add the port. What is none is counted as `unknown`. */
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

const known = new Map<string, Network[]>();

/** The same, remembered for whoever comes again. */
export function networksAt(address: string): Network[] {
  let networks = known.get(address);
  if (networks) return networks;
  networks = networksOf(address.length > LONGEST_ADDRESS ? '' : address);
  if (known.size >= KNOWN_ADDRESSES) known.clear();
  if (address.length <= LONGEST_ADDRESS) known.set(address, networks);
  return networks;
}

/** Whether to trust a proxy at this address, this many hops away. `setting` is TRUST_PROXY, which has Express' values. */
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

/** The eight groups of an IPv6 address. URL brings every spelling into one: hexadecimal, short, lower case. */
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
