/**
 * The systems that Parley is compared with. The Node programs are in bench/peers/, a separate package that is installed on
 * first use; nginx and nchan come from Debian. A peer that cannot be installed is skipped and reported. All peers accept
 * sends at Parley's paths, so that one load generator drives them all; `Entry` describes how their streams are opened.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Entry } from './readers.ts';
import type { Row } from './report.ts';
import { flags, freePort, type RedisServer, SECRET, type Server, startParley } from './servers.ts';
import { startProgram, temporaryFolder } from './stage.ts';

/** `entry`: how to open a stream. `pathOf`: the path of a stream that also receives an account's dms, if it differs. */
export type Subject = Server & { entry: Entry; pathOf?: (username: string) => string };
type Peer = { start(redis: RedisServer): Promise<Subject>; missing?: () => string | undefined };

const NGINX = '/usr/sbin/nginx';
const NCHAN_MODULE = '/usr/lib/nginx/modules/ngx_nchan_module.so';
const folder = fileURLToPath(new URL('peers/', import.meta.url));
/** The build that the figure `before` compares with. */
const BEFORE = process.env['BEFORE'];
const log = (line: string): boolean => process.stderr.write(`bench: ${line}\n`);

const node = (name: string, file: string, entry: Omit<Entry, 'path'>, env: NodeJS.ProcessEnv = {}): Peer => ({
  start: async (redis) => {
    const { match, ...started } = await startProgram(process.execPath, [...flags, `${folder}${file}`], {
      env: { REDIS_URL: redis.url, JWT_SECRET: SECRET, NODE_ENV: 'production', ...env },
      until: /listens on (\d+)/,
    });
    return {
      ...started,
      name,
      prefix: name,
      port: Number(match[1]),
      entry: { path: '/v1/events', ...entry },
    };
  },
  missing: installed,
});

const SOCKET_IO = { protocol: 'socket.io' } as const;

const peers = {
  parley: {
    start: async (redis) => ({
      ...(await startParley(redis)),
      entry: { path: '/v1/events?presence=off', protocol: 'sse' },
    }),
  },
  'parley before': {
    start: async (redis) => ({
      ...(await startParley(redis, {}, BEFORE)),
      entry: { path: '/v1/events?presence=off', protocol: 'sse' },
    }),
    missing: () => (BEFORE ? undefined : 'set BEFORE to the dist/ of an older build'),
  },
  nchan: { start: startNchan, missing: nchanInstalled },
  'socket.io streams': node('socket.io streams', 'socketio.mjs', SOCKET_IO, { ADAPTER: 'streams' }),
  'socket.io pub/sub': node('socket.io pub/sub', 'socketio.mjs', SOCKET_IO, { ADAPTER: 'pubsub' }),
  'better-sse': node('better-sse', 'better-sse.mjs', { protocol: 'sse', ready: 'event:ready' }),
  tutorial: node('tutorial', 'tutorial.mjs', { protocol: 'sse' }),
  'tutorial, key made once': node(
    'tutorial, key made once',
    'tutorial.mjs',
    { protocol: 'sse' },
    { JWT_KEY: 'once' },
  ),
} satisfies Record<string, Peer>;

export type PeerName = keyof typeof peers;

/** Starts the available subjects in order; returns a row with the reason for each missing one. */
export async function startSubjects(redis: RedisServer, figure: string, names: PeerName[]) {
  const subjects: Subject[] = [];
  const leftOut: Row[] = [];
  for (const name of names) {
    const { start, missing }: Peer = peers[name];
    const why = missing?.();
    if (why === undefined) subjects.push(await start(redis));
    else leftOut.push(leftOutRow(figure, name, why));
  }
  return { subjects, leftOut };
}

export function leftOutRow(figure: string, subject: string, why: string): Row {
  log(`${figure}: left out: ${subject} (${why})`);
  const value = { median: 0, min: 0, max: 0, runs: 0 };
  return { figure, case: 'left out', subject, value, unit: '', note: `${subject} (${why})` };
}

async function startNchan(): Promise<Subject> {
  const port = await freePort();
  const directory = temporaryFolder();
  const values: Record<string, string> = {
    ...{ PORT: String(port), FOLDER: directory, DESCRIPTORS: String(descriptors()) },
  };
  const conf = readFileSync(`${folder}nginx.conf`, 'utf8').replace(/\b(PORT|FOLDER|DESCRIPTORS)\b/g, (name) =>
    String(values[name]),
  );
  writeFileSync(`${directory}/nginx.conf`, conf);
  // nginx logs to standard error.
  const command = `exec ${NGINX} -e stderr -p ${directory} -c ${directory}/nginx.conf 2>&1`;
  const started = await startProgram('sh', ['-c', command], { until: /start worker process (\d+)/ });
  // Measure the worker process, which does the work; it exits with its master.
  return {
    ...{ pid: Number(started.match[1]), stop: started.stop, name: 'nchan', prefix: 'nchan:', port },
    entry: { path: '/v1/events', protocol: 'sse', ready: ': hi' },
    pathOf: (username) => `/v1/events/all?user=${username}`,
  };
}

/** The open file limit of processes of this bench; Node and nginx raise their soft limit to the hard limit. */
export function descriptors(): number {
  const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
  return hard === 'unlimited' ? 1_000_000 : Math.min(1_000_000, Number(hard));
}

/** Installs the packages of bench/peers/ if necessary; returns the reason if that fails. */
function installed(): string | undefined {
  const { dependencies } = JSON.parse(readFileSync(`${folder}package.json`, 'utf8'));
  const isInstalled = ([name, version]: [string, unknown]) => {
    const file = `${folder}node_modules/${name}/package.json`;
    return existsSync(file) && JSON.parse(readFileSync(file, 'utf8')).version === version;
  };
  if (Object.entries(dependencies).every(isInstalled)) return undefined;
  log('installing the peers in bench/peers');
  return errorOf(() =>
    execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], execOptions),
  );
}

function nchanInstalled(): string | undefined {
  const isInstalled = () => existsSync(NCHAN_MODULE) && existsSync(NGINX);
  if (isInstalled()) return undefined;
  if (process.getuid?.() !== 0) return 'not installed: apt-get install nginx-light libnginx-mod-nchan';
  log('installing nginx-light and libnginx-mod-nchan');
  const failed = errorOf(() => {
    execFileSync('apt-get', ['update'], execOptions);
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    execFileSync('apt-get', ['install', '-y', 'nginx-light', 'libnginx-mod-nchan'], { ...execOptions, env });
  });
  return failed ?? (isInstalled() ? undefined : `${NCHAN_MODULE} is missing after the installation`);
}

/** Standard output is reserved for the table. */
const execOptions = {
  cwd: folder,
  stdio: ['ignore', 'ignore', 'inherit'] as ['ignore', 'ignore', 'inherit'],
};

function errorOf(work: () => void): string | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message.split('\n')[0] : String(error);
  }
}
