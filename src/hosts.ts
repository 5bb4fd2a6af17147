/**
 * Which hosts this server answers for. A page of a stranger can make its own name lead to this machine (DNS rebinding);
 * the browser then believes that our answers are that page's own. What gives it away is `Host`, which still carries the
 * stranger's name. So a name is served if it was configured, or if it can lead nowhere but to the machine of who asks.
 *
 * An IP address in `Host` is no name that anybody could rebind. Listening on all interfaces, every address is served:
 * behind NAT or in a container, a machine does not know the addresses that it is called by. The port is not compared.
 */
import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net';

/** `invalid`: no host at all (RFC 3986, section 3.2), or one with user information. */
export type HostVerdict = 'served' | 'foreign' | 'invalid';
export type HostCheck = (authority: string) => HostVerdict;

const AUTHORITY = /^(\[[\da-f:.]{2,45}\]|[\w.~!$&'()*+,;=%-]{1,255})(?::(\d{0,5}))?$/i;
const ANY_ADDRESS = ['0.0.0.0', '[::]', '[::ffff:0:0]'];
/** Accepted spellings that are remembered: requests bring the same few again and again. */
const REMEMBERED = 1_000;

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8);
loopback.addAddress('::1', 'ipv6');

/** One spelling for each host: lower case, IPv6 short and in brackets, no dot at the end. */
function canonicalHost(host: string): string {
  const bare = host.replace(/^\[(.*)\]$/, '$1');
  if (isIPv6(bare) && !bare.includes('%')) return new URL(`http://[${bare}]`).hostname;
  return bare.toLowerCase().replace(/\.$/, '');
}

/** `HOSTS` may hold `*`: any host. */
export function createHostCheck({ HOST, HOSTS }: { HOST: string; HOSTS: string[] }): HostCheck {
  const known = new Set([HOST, ...HOSTS].map(canonicalHost));
  const takesAny = known.has('*');
  const takesAddresses = ANY_ADDRESS.includes(canonicalHost(HOST));
  const accepted = new Set<string>();

  function judge(authority: string): HostVerdict {
    const [, given = '', port = ''] = AUTHORITY.exec(authority) ?? [];
    if (!given || Number(port) > 65_535) return 'invalid';
    if (given.startsWith('[') && !isIPv6(given.slice(1, -1))) return 'invalid';
    if (takesAny) return 'served';
    const host = canonicalHost(given);
    if (known.has(host) || host === 'localhost' || host.endsWith('.localhost')) return 'served';
    const address = host.replace(/^\[(.*)\]$/, '$1');
    if (isIP(address) === 0) return 'foreign';
    return takesAddresses || loopback.check(address, isIPv4(address) ? 'ipv4' : 'ipv6')
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
