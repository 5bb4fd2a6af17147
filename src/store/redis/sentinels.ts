/**
 * Asks Sentinels for the primary, and reports when it has moved. All Sentinels are asked at the same time, and of their
 * answers the one with the newest configuration counts: a Sentinel that was cut off may still name the old primary.
 *
 * Not ioredis' own support: that keeps one connection to each Sentinel for each connection to Redis, writes errors of a
 * Sentinel that is down to stderr, and ends permanently when it is disconnected while it asks.
 */
import { connect as connectTcp, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { AbstractConnector, Redis } from 'ioredis';
import type { Endpoint, RedisAddress } from '../../redis-url.ts';

type SentinelAddress = Extract<RedisAddress, { kind: 'sentinel' }>;
type Answer = { endpoint: Endpoint; epoch: number };

/**
 * The Sentinel that leads a failover names the new primary from its promotion on; all do when the other replicas follow it, up
 * to seconds later. Messages that the old primary accepts in between are lost.
 */
const EVENTS = ['+promoted-slave', '+switch-master'];
/** A planned failover begins while the old primary works: published about 0.1 s before the replica is promoted. */
const BEGINS = '+failover-state-send-slaveof-noone';
/** Longer than a promotion takes. Afterwards the failover has failed, and the primary is used again. */
const HOLD_MS = 3_000;
const HOLD_CHECK_MS = 50;
/** A Sentinel publishes an event once, and its subscriber may be reconnecting. */
const ASK_EVERY_MS = 5_000;
const ANSWER_WITHIN_MS = 1_000;
/** Time for the other Sentinels after the first answer. */
const OTHERS_WITHIN_MS = 100;

export type Sentinels = ReturnType<typeof createSentinels>;

/** `onMoved` is called when the connections made by `Connector` should be dropped, with the reason. */
export function createSentinels(address: SentinelAddress, onMoved: (reason: string) => void) {
  const { primary: name, isTls } = address;
  const clients = address.sentinels.map((endpoint) => sentinelClient(endpoint, address));
  /** Where each connector last connected to. */
  const targets = new Map<object, string>();
  /** The primaries that are being replaced, until `heldUntil`. */
  let held = new Set<string>();
  let heldUntil = 0;

  async function findPrimary(): Promise<Endpoint> {
    const { answers, errors } = await askAll(clients, name);
    const newest = answers.reduce<Answer | undefined>(
      (best, each) => (best && best.epoch >= each.epoch ? best : each),
      undefined,
    );
    if (newest) return newest.endpoint;
    const isUnknown = errors.some(({ message }) => message.startsWith(UNKNOWN));
    throw isUnknown ? new Error(`${UNKNOWN} ${name}`) : new Error(`no Sentinel answers: ${listOf(errors)}`);
  }

  async function check(): Promise<void> {
    const primary = await findPrimary().catch(() => undefined); // without Sentinels, the connections stay
    if (primary && [...targets.values()].some((target) => target !== textOf(primary)))
      onMoved(`the primary is now ${textOf(primary)}`);
  }

  /** Stop using the old primary: writes that it accepts from now on would be lost. */
  function hold(): void {
    if (performance.now() < heldUntil) return;
    held = new Set(targets.values());
    heldUntil = performance.now() + HOLD_MS;
    onMoved('a failover has begun');
  }

  async function findUsablePrimary(): Promise<Endpoint> {
    for (;;) {
      const primary = await findPrimary();
      if (!held.has(textOf(primary)) || performance.now() > heldUntil) return primary;
      await sleep(HOLD_CHECK_MS);
    }
  }

  let timer: NodeJS.Timeout | undefined;
  return {
    Connector: createConnector(findUsablePrimary, targets, isTls),
    /** Starts to follow the primary. */
    watch(): void {
      for (const client of clients) follow(client, name, { onBegin: hold, onMove: check });
      timer = setInterval(() => void check(), ASK_EVERY_MS);
    },
    close(): void {
      clearInterval(timer);
      for (const client of clients) client.disconnect();
    },
  };
}

/** Subscribes on every connection. `onBegin`: a failover begins; `onMove`: the primary may have changed. */
function follow(client: Redis, name: string, on: { onBegin: () => void; onMove: () => Promise<void> }): void {
  const subscribe = () => void client.subscribe(BEGINS, ...EVENTS).catch(() => {}); // the next connection subscribes
  client.on('ready', subscribe);
  client.on('message', (event, details) => {
    if (event !== BEGINS) void on.onMove();
    else if (`${details} `.includes(` @ ${name} `)) on.onBegin();
  });
  if (client.status === 'ready') subscribe();
}

/** `targets`: where each connector last connected to, for as long as it is used. */
function createConnector(findPrimary: () => Promise<Endpoint>, targets: Map<object, string>, isTls: boolean) {
  return class Connector extends AbstractConnector {
    constructor(options: unknown) {
      super((options as { disconnectTimeout: number }).disconnectTimeout); // ioredis passes its options
    }

    /** Never rejects: ioredis would not try again. It does when the socket closes. */
    async connect(): Promise<Socket> {
      this.connecting = true;
      try {
        const primary = await findPrimary();
        targets.set(this, textOf(primary));
        this.stream = isTls ? connectTls(primary) : connectTcp(primary);
      } catch (error) {
        this.firstError = error as Error; // findPrimary throws nothing else
        this.stream = new Socket();
        this.stream.destroy();
      }
      if (!this.connecting) this.stream.destroy();
      this.stream.once('error', (error) => {
        this.firstError = error;
      });
      return this.stream;
    }

    override disconnect(): void {
      targets.delete(this);
      super.disconnect();
    }
  };
}

const UNKNOWN = 'the Sentinels know no primary named';

const textOf = ({ host, port }: Endpoint): string => `${host}:${port}`;
const listOf = (errors: Error[]): string => [...new Set(errors.map(({ message }) => message))].join(', ');

function sentinelClient({ host, port }: Endpoint, { sentinelLogin, isTls }: SentinelAddress): Redis {
  const client = new Redis({
    ...{ host, port, ...sentinelLogin, ...(isTls && { tls: {} }) },
    lazyConnect: true,
    enableReadyCheck: false,
    autoResubscribe: false,
    maxRetriesPerRequest: 0,
    connectTimeout: ANSWER_WITHIN_MS,
    commandTimeout: ANSWER_WITHIN_MS,
    retryStrategy: () => 1_000,
  });
  client.on('error', () => {}); // the call that needs it fails
  return client;
}

/** Resolves when all have answered, or a short time after the first, or when none has in time. */
async function askAll(clients: Redis[], name: string): Promise<{ answers: Answer[]; errors: Error[] }> {
  const answers: Answer[] = [];
  const errors: Error[] = [];
  const asked = clients.map((client) =>
    ask(client, name).then(
      (answer) => void answers.push(answer),
      (error: Error) => {
        errors.push(error);
        throw error;
      },
    ),
  );
  const first = Promise.any(asked).then(() => sleep(OTHERS_WITHIN_MS));
  await Promise.race([Promise.allSettled(asked), first.catch(() => Promise.allSettled(asked))]);
  return { answers, errors };
}

/** The address is newer than the epoch for the moments in which a failover ends. */
async function ask(client: Redis, name: string): Promise<Answer> {
  const [found, state] = await Promise.all([
    client.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name),
    client.call('SENTINEL', 'MASTER', name).catch(() => []),
  ]);
  if (!Array.isArray(found)) throw new Error(`${UNKNOWN} ${name}`);
  const fields = (Array.isArray(state) ? state : Object.entries(state as object).flat()).map(String);
  const epoch = Number(fields[fields.indexOf('config-epoch') + 1] ?? 0);
  return {
    endpoint: { host: String(found[0]), port: Number(found[1]) },
    epoch: Number.isNaN(epoch) ? 0 : epoch,
  };
}
