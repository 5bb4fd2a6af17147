/** All settings. `.env.example` and docs/reference/configuration.md have the same rows; a test compares the three. */
import {
  connections,
  hosts,
  integer,
  keyPrefix,
  limit,
  memory,
  oneOf,
  origins,
  redisUrl,
  secrets,
  secretsFile,
  text,
  trustProxy,
  workers,
} from './parsers.ts';

export type Setting<T> = { default: string; parse: (text: string) => T; reason: string; secret?: true };

export const SETTINGS = {
  PORT: { default: '3000', parse: integer(0, 65_535), reason: 'port to listen on; 0 picks any free port' },
  HOST: {
    default: '127.0.0.1',
    parse: text,
    reason: 'address to listen on; by default only this machine can connect',
  },
  HOSTS: {
    default: '',
    parse: hosts,
    reason: 'host names to serve besides HOST and localhost, comma-separated; * for any',
  },
  WORKERS: {
    default: '1',
    parse: workers,
    reason: 'worker processes that share the port; auto: one per core',
  },
  REDIS_URL: {
    default: '',
    parse: redisUrl,
    secret: true,
    reason:
      'Redis to use: redis://, rediss://, unix:// or redis+sentinel://; empty: Parley starts a private one',
  },
  WAIT_REPLICAS: {
    default: '0',
    parse: integer(0, 10),
    reason: 'replicas that must confirm a message before a send succeeds; run at least one replica more',
  },
  REDIS_MAXMEMORY: {
    default: '',
    parse: memory,
    reason:
      "memory limit to set on a Redis that has none; empty: half of the machine's memory for a private one",
  },
  HIGH_WATER_PERCENT: {
    default: '90',
    parse: integer(1, 100),
    reason: 'percentage of Redis maxmemory above which sends and registrations are rejected',
  },
  KEY_PREFIX: { default: 'parley:', parse: keyPrefix, reason: 'prefix of every key and channel in Redis' },
  DATA_DIR: { default: '.data', parse: text, reason: 'data directory of the private Redis' },
  JWT_SECRET: {
    default: '',
    parse: secrets,
    secret: true,
    reason:
      'signs access tokens; required with REDIS_URL, the same on every node; older secrets, after commas, still verify',
  },
  JWT_SECRET_FILE: {
    default: '',
    parse: secretsFile,
    secret: true,
    reason: 'file to read JWT_SECRET from instead, such as a Docker or Kubernetes secret',
  },
  ACCESS_TTL_SECONDS: {
    default: '3600',
    parse: integer(1, 86_400),
    reason: 'lifetime of an access token; a stream ends when its token expires',
  },
  REFRESH_TTL_DAYS: {
    default: '30',
    parse: integer(1, 3_650),
    reason: 'days after which an unused session expires',
  },
  BCRYPT_COST: {
    default: '12',
    parse: integer(4, 16),
    reason: 'bcrypt cost; 12 takes about 200 ms per login',
  },
  LOGIN_LIMIT: {
    default: '10/300',
    parse: limit,
    reason: 'failed logins allowed per account; ten times as many per network',
  },
  LOGIN_SUCCESS_LIMIT: {
    default: '30/300',
    parse: limit,
    reason: 'successful logins allowed per account; ten times as many per network',
  },
  MAX_SESSIONS_PER_ACCOUNT: {
    default: '100',
    parse: integer(1, 10_000),
    reason: 'sessions per account; one more login ends the least recently used',
  },
  REGISTER_LIMIT: { default: '20/3600', parse: limit, reason: 'registrations allowed per network' },
  SEND_LIMIT: { default: '50/10', parse: limit, reason: 'messages an account may send' },
  ACCOUNT_BUDGET: {
    default: '2000/10',
    parse: limit,
    reason: 'points an account may spend on each node; a point is about 50 µs of work',
  },
  NETWORK_BUDGET: { default: '20000/10', parse: limit, reason: 'points a network may spend on each node' },
  ACCOUNT_IN_FLIGHT: {
    default: '16',
    parse: integer(0, 1_000_000),
    reason: 'concurrent requests per account; a page of a listing counts as four; 0 for no limit',
  },
  NETWORK_IN_FLIGHT: {
    default: '128',
    parse: integer(0, 1_000_000),
    reason: 'concurrent requests per network; at most a quarter of them without a token; 0 for no limit',
  },
  CONNECTION_IN_FLIGHT: {
    default: '8',
    parse: integer(0, 1_000_000),
    reason: 'concurrent requests per connection; 0 for no limit',
  },
  NETWORK_CONNECTIONS: {
    default: 'auto',
    parse: connections,
    reason:
      'connections per network and node; auto: a quarter of the open-file limit, at most 1000; 0 for no limit',
  },
  CORS_ORIGINS: {
    default: '',
    parse: origins,
    reason: 'origins whose pages may call the API; * for all; null allows any sandboxed page or local file',
  },
  TRUST_PROXY: {
    default: 'false',
    parse: trustProxy,
    reason: 'addresses of the trusted proxies, or how many proxies append to X-Forwarded-For',
  },
  HSTS_SECONDS: {
    default: '0',
    parse: integer(0, 63_072_000),
    reason: 'max-age of Strict-Transport-Security, without subdomains; set it only behind TLS; 0: no header',
  },
  KEEP_ALIVE_SECONDS: {
    default: '75',
    parse: integer(1, 3_600),
    reason: 'idle timeout of a connection; must exceed that of any proxy in front',
  },
  HEARTBEAT_SECONDS: {
    default: '25',
    parse: integer(1, 3_600),
    reason: 'heartbeat interval of a stream; must be shorter than the idle timeout of any proxy in front',
  },
  METRICS_PORT: { default: '0', parse: integer(0, 65_535), reason: 'port for Prometheus metrics; 0: none' },
  LOG_LEVEL: {
    default: 'info',
    parse: oneOf('silent', 'error', 'warn', 'info', 'debug'),
    reason: 'info logs rejected and failed requests, debug logs every request',
  },
  LOG_NETWORKS: {
    default: 'false',
    parse: oneOf('true', 'false'),
    reason:
      "true adds the client's network to the log line of a request: its IPv4 address, or the /64 of its IPv6 address",
  },
  MAX_STREAM_BYTES: {
    default: '262144',
    parse: integer(16_384, 67_108_864),
    reason: 'bytes buffered for one slow client before it falls back to replay',
  },
  MAX_STREAMS_PER_ACCOUNT: {
    default: '16',
    parse: integer(1, 1_000),
    reason: 'open streams per account and node; a new one replaces the oldest',
  },
  REPLAY_LIMIT: {
    default: '1000',
    parse: integer(1, 10_000),
    reason: 'maximum entries of each log that a resumed stream replays',
  },
  BROADCAST_LIMIT: { default: '10000', parse: integer(1, 10_000_000), reason: 'broadcasts to keep' },
  BROADCAST_BYTES: {
    default: '67108864',
    parse: integer(65_536, 1_099_511_627_776),
    reason: 'bytes of broadcasts to keep',
  },
  HISTORY_LIMIT: {
    default: '10000',
    parse: integer(1, 10_000_000),
    reason: 'messages to keep per conversation',
  },
  HISTORY_BYTES: {
    default: '33554432',
    parse: integer(65_536, 1_099_511_627_776),
    reason: 'bytes of messages to keep per conversation',
  },
  INBOX_LIMIT: { default: '10000', parse: integer(1, 10_000_000), reason: 'messages to keep per inbox' },
  INBOX_BYTES: {
    default: '16777216',
    parse: integer(65_536, 1_073_741_824),
    reason: "bytes of messages to keep per inbox; the heaviest senders' messages are evicted first",
  },
  ACCOUNT_BYTES: {
    default: '67108864',
    parse: integer(65_536, 1_099_511_627_776),
    reason: 'bytes of direct messages to keep per sender, across all conversations',
  },
  PRESENCE_FANOUT_LIMIT: {
    default: '5000',
    parse: integer(0, 10_000_000),
    reason: 'above this many online accounts, streams receive only the count, not names',
  },
} satisfies Record<string, Setting<unknown>>;
