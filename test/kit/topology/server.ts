/**
 * One redis-server process of a topology: a data server, a node of a cluster or a Sentinel. It listens on a free loopback port
 * and has a temporary directory of its own. Its settings are in a file, which Redis rewrites at a failover, so that a server
 * that is killed and started again comes back with the role that it last had.
 *
 * Usable inside and outside of a test run: nothing here imports vitest.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { launch, type Program, removeFolder, temporaryFolder, until } from '../../fault/processes.ts';
import { freePort } from '../ports.ts';

/** How long a server may take to start, in milliseconds. */
const READY_WITHIN_MS = 15_000;
/** How long a server may take to reply to a call of the kit, in milliseconds. */
const REPLY_WITHIN_MS = 2_000;
const STARTED = /Ready to accept connections|Sentinel ID is|\+monitor master/;

/** Lines of redis.conf: name → value. A list repeats the name. */
export type Settings = Record<string, string | number | string[]>;

export type Server = {
  port: number;
  /** `127.0.0.1:<port>` */
  address: string;
  /** The directory with the configuration and the data. */
  folder: string;
  isAlive(): boolean;
  /** False while it is killed or stopped. */
  isRunning(): boolean;
  /** Everything that it logged, since its first start. */
  output(): string;
  /**
   * Sends one command over a connection of its own and returns the reply.
   * @throws what Redis replied, or an error if it cannot be reached or does not reply within 2 s.
   */
  call(...command: [string, ...(string | number)[]]): Promise<unknown>;
  /** SIGKILL. Resolves when the process is gone. Data and configuration stay. */
  kill(): Promise<void>;
  /** SIGSTOP: the process does nothing; the kernel accepts connections and data for it. */
  stop(): void;
  /** SIGCONT after `stop`. */
  continue(): void;
  /** Starts a killed server again, on the same port with the same directory. */
  restart(): Promise<void>;
  /** Kills it and removes its directory. */
  end(): Promise<void>;
};

/** A data server that loses little when it is killed, and that replicates immediately. */
export const DATA_SETTINGS: Settings = {
  appendonly: 'yes',
  appendfsync: 'everysec',
  save: '""',
  'auto-aof-rewrite-percentage': 0,
  // By default a full synchronization waits 5 s for more replicas.
  'repl-diskless-sync-delay': 0,
  'repl-ping-replica-period': 1,
};

/**
 * Starts redis-server.
 * @param settings lines of its configuration besides port, bind and dir
 * @param args arguments after the configuration file, such as `--sentinel`
 * @throws Error with its output if it does not start within 15 s
 */
export async function startServer(settings: Settings, args: string[] = []): Promise<Server> {
  const port = await freePort();
  const folder = temporaryFolder();
  const file = join(folder, 'redis.conf');
  writeFileSync(file, linesOf({ port, bind: '127.0.0.1', dir: folder, ...settings }));
  let earlier = '';
  let isStopped = false;
  const start = (): Promise<Program> => launchServer([file, ...args]);
  let program = await start();
  const signal = (name: NodeJS.Signals, stopped: boolean): void => {
    program.signal(name);
    isStopped = stopped;
  };
  const kill = async (): Promise<void> => {
    signal('SIGKILL', false);
    await program.exited;
  };
  return {
    port,
    address: `127.0.0.1:${port}`,
    folder,
    isAlive: () => program.isAlive(),
    isRunning: () => program.isAlive() && !isStopped,
    output: () => earlier + program.output(),
    call: (...command) => callOnce(port, command),
    kill,
    stop: () => signal('SIGSTOP', true),
    continue: () => signal('SIGCONT', false),
    restart: async () => {
      if (program.isAlive()) throw new Error(`The server on port ${port} is running. Kill it first.`);
      earlier += program.output();
      program = await start();
    },
    end: async () => {
      if (program.isAlive()) await kill();
      removeFolder(folder);
    },
  };
}

const linesOf = (settings: Settings): string =>
  Object.entries(settings)
    .flatMap(([name, value]) => [value].flat().map((each) => `${name} ${each}\n`))
    .join('');

async function launchServer(args: string[]): Promise<Program> {
  const program = launch('redis-server', args);
  const hasStarted = (): boolean => STARTED.test(program.output());
  await until(() => hasStarted() || !program.isAlive(), READY_WITHIN_MS);
  if (hasStarted()) return program;
  program.signal('SIGKILL');
  throw new Error(`redis-server did not start:\n${program.output()}`);
}

async function callOnce(port: number, [name, ...args]: [string, ...(string | number)[]]): Promise<unknown> {
  const client = new Redis({
    port,
    lazyConnect: true,
    enableReadyCheck: false,
    retryStrategy: () => null,
    connectTimeout: REPLY_WITHIN_MS,
    commandTimeout: REPLY_WITHIN_MS,
  });
  client.on('error', () => {}); // also rejects `connect`
  try {
    await client.connect();
    return await client.call(name, ...args);
  } finally {
    client.disconnect();
  }
}

/** The role of a server: of a replica also whether it has synchronized with its primary. */
export type Role = { name: 'primary' } | { name: 'replica'; primaryPort: number; isInSync: boolean };

/** @throws if the server cannot be reached or is a Sentinel */
export async function roleOf(server: Server): Promise<Role> {
  const [name, , port, state] = (await server.call('ROLE')) as [string, unknown, number, string];
  if (name === 'master') return { name: 'primary' };
  return { name: 'replica', primaryPort: Number(port), isInSync: state === 'connected' };
}

/**
 * Waits for a condition that is described by what still prevents it.
 * @param obstacle returns what is wrong, or undefined if the condition holds; if it throws, the message is what is wrong
 * @throws Error with the last obstacle after `withinMs`
 */
export async function waitUntil(
  what: string,
  obstacle: () => Promise<string | undefined>,
  withinMs: number,
): Promise<void> {
  let last: string | undefined;
  const holds = async (): Promise<boolean> => {
    last = await obstacle().catch((error: Error) => error.message);
    return last === undefined;
  };
  if (!(await until(holds, withinMs))) throw new Error(`${what} not within ${withinMs} ms: ${last}`);
}

/** Ends all servers, also those that are stopped. */
export async function endAll(servers: readonly Server[]): Promise<void> {
  await Promise.all(servers.map((server) => server.end()));
}

/** Starts several servers at the same time; if one does not start, ends the others. */
export async function startAll(starts: (() => Promise<Server>)[]): Promise<Server[]> {
  const results = await Promise.allSettled(starts.map((start) => start()));
  const servers = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const failed = results.find((result) => result.status === 'rejected');
  if (!failed) return servers;
  await endAll(servers);
  throw failed.reason;
}
