/** Explains why Redis cannot be used at startup: one sentence that says what to do, and never contains the password. Pure. */
import type { RedisAddress } from '../../redis-url.ts';
import { messageOf } from './connections.ts';
import { NO_PERMISSION } from './error-replies.ts';

/** A TLS certificate whose issuer Node does not trust. */
const UNTRUSTED = /SELF_SIGNED_CERT|UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT|CERT_UNTRUSTED/;

/** In the order in which they are tried: the code or the message of an error, and what to do. */
const CURES: [pattern: RegExp, cure: string][] = [
  [/^(ENOTFOUND|EAI_AGAIN|EAI_FAIL)/, 'its host name cannot be resolved: check the spelling in REDIS_URL'],
  [/^ENOENT/, 'there is no such socket: start Redis, or correct the path in REDIS_URL'],
  [/^EACCES/, "this user may not open the socket: give it the socket's group"],
  [
    /^(ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL|ETIMEDOUT)/,
    'nothing answers there: start Redis, or correct host and port in REDIS_URL',
  ],
  [
    UNTRUSTED,
    'its certificate is not trusted: set NODE_EXTRA_CA_CERTS to the file of its certificate authority',
  ],
  [
    /^ERR_TLS_CERT_ALTNAME/,
    'its certificate is for another host: write a name from the certificate in REDIS_URL',
  ],
  [/^CERT_HAS_EXPIRED/, 'its certificate has expired: renew it'],
  [/^(EPROTO|ERR_SSL)/, 'it does not use TLS: write redis:// instead of rediss://'],
  [/^NOAUTH/, 'it requires a password: write redis://user:password@host, or redis://:password@host'],
  [/^WRONGPASS/, 'it rejects the user or the password: correct them in REDIS_URL'],
  [/^DENIED/, 'it is in protected mode: give it a password, or bind it to an address of its own'],
  [NO_PERMISSION, 'its user lacks a permission: give it the ACL rule of docs/how-to/managed-redis.md'],
  [/max number of clients/, 'it accepts no more clients: raise its maxclients'],
  [/^OOM/, 'its memory is full: raise its maxmemory'],
  [
    /^(MOVED|CROSSSLOT|CLUSTERDOWN)|in cluster mode/,
    'it is a node of a Redis Cluster, which Parley does not support: use a server with cluster-enabled no',
  ],
  [/^READONLY|^MASTERDOWN/, 'it is a replica: name its primary, or its Sentinels, in REDIS_URL'],
  [
    /^NOREPLICAS/,
    'too few replicas are connected (min-replicas-to-write): connect them, or lower the setting',
  ],
  [/^MISCONF/, 'it cannot save its data and rejects writes: read its log'],
  [
    /DB index is out of range|unknown command.*select/i,
    'it has no database with this number: correct the number in REDIS_URL, or raise its setting databases',
  ],
  [/unknown command.*(eval|script)/i, 'it does not run Lua scripts, which Parley needs: use another server'],
  [
    /unknown command/i,
    'it lacks a command that Parley needs: use Redis 7.0 or newer without renamed commands',
  ],
  [/no Sentinel answers/, 'check the addresses in REDIS_URL, and that the Sentinels run'],
  [/the Sentinels know no primary/, 'write the name that sentinel.conf gives after "sentinel monitor"'],
  [
    /^(ECONNRESET|EPIPE)|Connection is closed|ended by the other party/,
    'it closes the connection: write rediss:// if it uses TLS',
  ],
  [/timed out/i, 'it does not reply: check that it runs, and that REDIS_URL names a Redis'],
];

export function explain(error: Error, address: RedisAddress): Error {
  const { code = '' } = error as NodeJS.ErrnoException;
  const message = messageOf(error);
  const cure =
    address.isTls && code === 'ETIMEDOUT'
      ? 'it does not complete a TLS handshake: write redis:// instead of rediss:// if it does not use TLS'
      : CURES.find(([pattern]) => pattern.test(code) || pattern.test(message))?.[1];
  const reason = cure === undefined ? message : `${cure} (${message.replace(/\.$/, '')})`;
  return new Error(`Redis at ${placeOf(address)} cannot be used: ${reason}`, { cause: error });
}

/** The address without the login. */
export function placeOf(address: RedisAddress): string {
  const textOf = ({ host, port }: { host: string; port: number }) =>
    `${host.includes(':') ? `[${host}]` : host}:${port}`;
  switch (address.kind) {
    case 'server':
      return `${textOf(address)}/${address.database}`;
    case 'socket':
      return `${address.path} (database ${address.database})`;
    case 'sentinel':
      return `${address.sentinels.map(textOf).join(',')}/${address.primary}/${address.database}`;
    case 'cluster':
      return address.nodes.map(textOf).join(',');
  }
}
