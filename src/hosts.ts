/**
 * Decides which hosts this server serves. An attacker's page can make its own host name resolve to this machine (DNS
 * rebinding); the browser then treats responses from this server as same-origin. The `Host` header still carries the
 * attacker's name, so a name is served only if it is configured or can resolve only to the client's own machine.
 *
 * An IP address in `Host` cannot be rebound. A server that listens on all interfaces serves every address: behind NAT or
 * in a container, a machine does not know the addresses that clients use. The port is not compared.
 */
import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net';

/** `invalid`: not a host (RFC 3986, section 3.2), or one with user information. */
export type HostVerdict = 'served' | 'foreign' | 'invalid';
export type HostCheck = (authority: string) => HostVerdict;

const AUTHORITY = /^(\[[\da-f:.]{2,45}\]|[\w.~!$&'()*+,;=%-]{1,255})(?::(\d{0,5}))?$/i;
const ANY_ADDRESS = ['0.0.0.0', '[::]', '[::ffff:0:0]'];
/** Maximum number of accepted spellings to cache: requests repeat the same few. */
const REMEMBERED = 1_000;

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8);
loopback.addAddress('::1', 'ipv6');

/** One spelling for each host: lower case, IPv6 compressed and in brackets, no trailing dot. */
function canonicalHost(host: string): string {
  const bare = host.replace(/^\[(.*)\]$/, '$1');
  if (isIPv6(bare) && !bare.includes('%')) return new URL(`http://[${bare}]`).hostname;
  return bare.toLowerCase().replace(/\.$/, '');
}

/** `*` in `HOSTS` allows any host. */
export function createHostCheck({ HOST, HOSTS }: { HOST: string; HOSTS: string[] }): HostCheck {
  const known = new Set([HOST, ...HOSTS].map(canonicalHost));
  const allowsAnyHost = known.has('*');
  const allowsAnyAddress = ANY_ADDRESS.includes(canonicalHost(HOST));
  const accepted = new Set<string>();

  function judge(authority: string): HostVerdict {
    const [, name = '', port = ''] = AUTHORITY.exec(authority) ?? [];
    if (!name || Number(port) > 65_535) return 'invalid';
    if (name.startsWith('[') && !isIPv6(name.slice(1, -1))) return 'invalid';
    if (allowsAnyHost) return 'served';
    const host = canonicalHost(name);
    if (known.has(host) || host === 'localhost' || host.endsWith('.localhost')) return 'served';
    const address = host.replace(/^\[(.*)\]$/, '$1');
    if (isIP(address) === 0) return 'foreign';
    return allowsAnyAddress || loopback.check(address, isIPv4(address) ? 'ipv4' : 'ipv6')
      ? 'served'
      : 'foreign';
  }

  return (authority) => {
    if (accepted.has(authority)) return 'served';
    const verdict = judge(authority);
    if (verdict === 'served' && accepted.size < REMEMBERED) accepted.add(authority);
    return verdict;
  };
}
