/**
 * Configuration: one table. The only file that reads the environment. All faults are reported together, and never with
 * the value of a secret. `.env.example` says the same to people; a test compares the two.
 */
import {
  connections,
  hosts,
  integer,
  keyPrefix,
  limit,
  memory,
  oneOf,
  origins,
  Rule,
  redisUrl,
  secrets,
  text,
  trustProxy,
  workers,
} from './parsers.ts';

type Setting<T> = { default: string; parse: (text: string) => T; reason: string; secret?: true };

const SETTINGS = {
  PORT: { default: '3000', parse: integer(0, 65_535), reason: 'where to listen; 0 takes any free port' },
  HOST: {
    default: '127.0.0.1',
    parse: text,
    reason: 'nothing outside this machine reaches Parley unless you say so',
  },
  HOSTS: {
    default: '',
    parse: hosts,
    reason: 'names that clients call this server by beside HOST and localhost; * for any',
  },
  WORKERS: {
    default: '1',
    parse: workers,
    reason: 'nodes on this port, each a process; auto: one for each core',
  },
  REDIS_URL: { default: '', parse: redisUrl, secret: true, reason: 'empty: a private Redis is started' },
  REDIS_MAXMEMORY: {
    default: '',
    parse: memory,
    reason: 'memory of a Redis that has no limit of its own; empty: half of the machine for a private one',
  },
  HIGH_WATER_PERCENT: {
    default: '90',
    parse: integer(1, 100),
    reason: "of Redis' maxmemory: above it sends and registrations are refused, all else goes on",
  },
  KEY_PREFIX: { default: 'parley:', parse: keyPrefix, reason: 'lets several things share one Redis' },
  DATA_DIR: { default: '.data', parse: text, reason: 'where the private Redis keeps its data' },
  JWT_SECRET: {
    default: '',
    parse: secrets,
    secret: true,
    reason:
      'signs access tokens; needed with REDIS_URL, the same on every node; after a comma: older ones, still good',
  },
  ACCESS_TTL_SECONDS: {
    default: '3600',
    parse: integer(1, 86_400),
    reason: 'a stream ends when its token does',
  },
  REFRESH_TTL_DAYS: { default: '30', parse: integer(1, 3_650), reason: 'how long a session lives unused' },
  BCRYPT_COST: { default: '12', parse: integer(4, 16), reason: 'about 200 ms for each login' },
  LOGIN_LIMIT: {
    default: '10/300',
    parse: limit,
    reason: 'failed logins of an account; of a network ten times that',
  },
  LOGIN_SUCCESS_LIMIT: {
    default: '30/300',
    parse: limit,
    reason: 'good logins of an account; of a network ten times that',
  },
  MAX_SESSIONS_PER_ACCOUNT: {
    default: '100',
    parse: integer(1, 10_000),
    reason: 'with one more login, the session that was not used for longest ends',
  },
  REGISTER_LIMIT: { default: '20/3600', parse: limit, reason: 'registrations from one network' },
  SEND_LIMIT: { default: '50/10', parse: limit, reason: 'messages of one account' },
  ACCOUNT_BUDGET: {
    default: '2000/10',
    parse: limit,
    reason: 'what an account may use of each node: a point is about 50 µs of work',
  },
  NETWORK_BUDGET: { default: '20000/10', parse: limit, reason: 'what a network may use of each node' },
  ACCOUNT_IN_FLIGHT: {
    default: '16',
    parse: integer(0, 1_000_000),
    reason: 'small requests of an account at once, or a quarter of that in pages; 0 for no limit',
  },
  NETWORK_IN_FLIGHT: {
    default: '128',
    parse: integer(0, 1_000_000),
    reason: 'the same of a network; a quarter of it without a token',
  },
  CONNECTION_IN_FLIGHT: {
    default: '8',
    parse: integer(0, 1_000_000),
    reason: 'requests at once of those that came on one connection',
  },
  NETWORK_CONNECTIONS: {
    default: 'auto',
    parse: connections,
    reason: 'of each node; auto: a quarter of all it may have open, at most 1000; 0 for no limit',
  },
  CORS_ORIGINS: {
    default: '',
    parse: origins,
    reason: 'pages of other origins that may call; * for all; null is any sandboxed page or file, so anybody',
  },
  TRUST_PROXY: {
    default: 'false',
    parse: trustProxy,
    reason: 'addresses of the proxies in front, or how many of them add to X-Forwarded-For',
  },
  HSTS_SECONDS: {
    default: '0',
    parse: integer(0, 63_072_000),
    reason: 'behind TLS: how long browsers come by https only, without subdomains; 0: not said',
  },
  KEEP_ALIVE_SECONDS: {
    default: '75',
    parse: integer(1, 3_600),
    reason: 'how long an idle connection stays open; longer than any proxy in front keeps it',
  },
  HEARTBEAT_SECONDS: {
    default: '25',
    parse: integer(1, 3_600),
    reason: 'a sign of life on each stream; shorter than any proxy in front waits',
  },
  METRICS_PORT: { default: '0', parse: integer(0, 65_535), reason: '0: no metrics' },
  LOG_LEVEL: {
    default: 'info',
    parse: oneOf('silent', 'error', 'warn', 'info', 'debug'),
    reason: 'info tells what was refused and what failed, debug every request',
  },
  MAX_STREAM_BYTES: {
    default: '262144',
    parse: integer(16_384, 67_108_864),
    reason: 'what a slow reader may cost',
  },
  MAX_STREAMS_PER_ACCOUNT: {
    default: '16',
    parse: integer(1, 1_000),
    reason: 'per node; the oldest is replaced',
  },
  REPLAY_LIMIT: {
    default: '1000',
    parse: integer(1, 10_000),
    reason: 'what a resumed stream gets of each log',
  },
  BROADCAST_LIMIT: { default: '10000', parse: integer(1, 10_000_000), reason: 'broadcasts kept' },
  BROADCAST_BYTES: {
    default: '67108864',
    parse: integer(65_536, 1_099_511_627_776),
    reason: 'and their bytes',
  },
  HISTORY_LIMIT: {
    default: '10000',
    parse: integer(1, 10_000_000),
    reason: 'messages kept of a conversation',
  },
  HISTORY_BYTES: {
    default: '33554432',
    parse: integer(65_536, 1_099_511_627_776),
    reason: 'and their bytes',
  },
  INBOX_LIMIT: { default: '10000', parse: integer(1, 10_000_000), reason: 'messages kept in an inbox' },
  INBOX_BYTES: {
    default: '16777216',
    parse: integer(65_536, 1_073_741_824),
    reason: 'and their bytes; what overflows is paid by who sent most of it',
  },
  ACCOUNT_BYTES: {
    default: '67108864',
    parse: integer(65_536, 1_099_511_627_776),
    reason: 'of what one account sent, kept in all its conversations',
  },
  PRESENCE_FANOUT_LIMIT: {
    default: '5000',
    parse: integer(0, 10_000_000),
    reason: 'above it streams get the number only',
  },
} satisfies Record<string, Setting<unknown>>;

type SettingName = keyof typeof SETTINGS;
export type Config = { [Name in SettingName]: ReturnType<(typeof SETTINGS)[Name]['parse']> } & {
  /** Where programs are looked for: the private Redis. */
  PATH: string;
};

/** For .env.example's test and nothing else. */
export const settingsTable: Record<string, Setting<unknown>> = SETTINGS;

export const retentionOf = (config: Config) => ({
  broadcasts: config.BROADCAST_LIMIT,
  broadcastBytes: config.BROADCAST_BYTES,
  history: config.HISTORY_LIMIT,
  historyBytes: config.HISTORY_BYTES,
  inbox: config.INBOX_LIMIT,
  inboxBytes: config.INBOX_BYTES,
  accountBytes: config.ACCOUNT_BYTES,
});

/** Throws one Error that names every fault. */
export function readConfig(env: Record<string, string | undefined> = process.env): Config {
  const faults: string[] = [];
  const values: Record<string, unknown> = { PATH: env['PATH'] ?? '' };
  for (const [name, setting] of Object.entries(settingsTable)) {
    const given = env[name]?.trim() || setting.default;
    try {
      values[name] = setting.parse(given);
    } catch (error) {
      if (!(error instanceof Rule)) throw error;
      faults.push(
        `${name} must be ${error.message}${setting.secret ? '' : `; it is ${JSON.stringify(given)}`}`,
      );
    }
  }
  if (values['REDIS_URL'] && !env['JWT_SECRET']?.trim()) {
    faults.push(
      'JWT_SECRET must be set together with REDIS_URL, the same on every node (try: openssl rand -hex 32)',
    );
  }
  if (faults.length > 0)
    throw new Error(`The configuration is not usable:\n${faults.map((each) => `  ${each}`).join('\n')}`);
  return values as Config; // each name was parsed by its own row
}
