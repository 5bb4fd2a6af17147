/** Metrics of one node, for Prometheus. Hot paths call once per batch, not once per stream. */
import { readFileSync } from 'node:fs';
import { createServer, type Server, STATUS_CODES } from 'node:http';
import { AggregatorRegistry, Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { operations } from './contract.d.ts';
import type { HostCheck } from './hosts.ts';

/** Sampling interval of the event-loop lag: twice the default, because sampling is most of the work of an idle node. */
const LAG_SAMPLING_MS = 20;

/** Stays open for hours, so its duration would distort the histogram. */
const STREAM: keyof operations = 'openStream';

const REQUEST_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
const REDIS_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 3];
const DELIVERY_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Read whenever the metrics are requested. */
export type NodeState = {
  openStreams(): number;
  /** On all nodes. */
  accountsOnline(): number;
  /** Logins and registrations that wait for a password check. */
  passwordQueueLength(): number;
};

export type Metrics = ReturnType<typeof createMetrics>;

export function createMetrics(node: NodeState) {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: LAG_SAMPLING_MS });
  registerBuildInfo(registry);
  registerGauges(registry, node);
  return {
    ...requestMetrics(registry),
    ...messageMetrics(registry),
    ...redisMetrics(registry),
    text: () => registry.metrics(),
    /** For a worker: the primary requests these, and serves them together with those of the other workers. */
    share(): void {
      AggregatorRegistry.setRegistries(registry);
      new AggregatorRegistry(); // listens for requests of the primary
    },
  };
}

function registerBuildInfo(registry: Registry): void {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  new Gauge({
    name: 'parley_build_info',
    help: 'Always 1; the labels are the versions of Parley and Node',
    labelNames: ['version', 'node_version'],
    aggregator: 'first', // all workers are the same build
    registers: [registry],
  }).set({ version, node_version: process.version }, 1);
}

function registerGauges(registry: Registry, node: NodeState): void {
  const gauge = (name: string, help: string, read: () => number, aggregator: 'sum' | 'max' = 'sum') =>
    new Gauge({
      ...{ name, help, aggregator, registers: [registry] },
      collect() {
        this.set(read());
      },
    });
  gauge('parley_open_streams', 'Open streams', node.openStreams);
  gauge(
    'parley_accounts_online',
    'Accounts with an open stream on any node; all nodes report the same number, so aggregate with max',
    node.accountsOnline,
    'max',
  );
  gauge(
    'parley_password_queue_length',
    'Logins and registrations waiting for a password check',
    node.passwordQueueLength,
  );
}

function requestMetrics(registry: Registry) {
  const registers = [registry];
  const requests = new Counter({
    name: 'parley_requests_total',
    help: 'Requests, by operation and response status',
    labelNames: ['operation', 'status'],
    registers,
  });
  const durations = new Histogram({
    name: 'parley_request_duration_seconds',
    help: 'Time from receiving a request to the end of its response, by operation; without streams',
    labelNames: ['operation'],
    buckets: REQUEST_BUCKETS,
    registers,
  });
  const problems = new Counter({
    name: 'parley_problems_total',
    help: 'Error responses, by problem code',
    labelNames: ['code'],
    registers,
  });
  const rejections = new Counter({
    name: 'parley_rejections_total',
    help: 'Requests and connections rejected by admission, by the limit that was reached',
    labelNames: ['limit'],
    registers,
  });
  const cuts = new Counter({
    name: 'parley_cut_responses_total',
    help: 'Responses cut off because the client did not read them',
    registers,
  });
  return {
    requestEnded(operation: string, status: number, seconds: number): void {
      requests.inc({ operation, status });
      if (operation !== STREAM) durations.observe({ operation }, seconds);
    },
    problemSent: (code: string) => problems.inc({ code }),
    rejected: (limit: string) => rejections.inc({ limit }),
    responseCut: () => cuts.inc(),
  };
}

function messageMetrics(registry: Registry) {
  const registers = [registry];
  const counter = (name: string, help: string) => new Counter({ name, help, registers });
  const stored = new Counter({
    name: 'parley_messages_stored_total',
    help: 'Messages stored, by kind',
    labelNames: ['kind'],
    registers,
  });
  const counters = {
    deliveries: counter('parley_messages_delivered_total', 'Messages written to streams, replays included'),
    replays: counter('parley_messages_replayed_total', 'Messages written to streams that were not live'),
    gaps: counter('parley_stream_gaps_total', 'Gaps reported to streams'),
    slow: counter(
      'parley_stream_fallbacks_total',
      'Times a live stream fell back to replay because its client reads slowly',
    ),
  };
  const lag = new Histogram({
    name: 'parley_delivery_lag_seconds',
    help: "Time from sending a message to writing it to live streams, by Redis' clock; the oldest message of each batch",
    buckets: DELIVERY_BUCKETS,
    registers,
  });
  return {
    messageStored: (kind: string) => stored.inc({ kind }),
    count: (what: keyof typeof counters, howMany: number) => counters[what].inc(howMany),
    /** The clocks of two nodes agree to a few milliseconds, so the difference may be negative. */
    batchDelivered: (lagMs: number) => lag.observe(Math.max(0, lagMs) / 1_000),
  };
}

function redisMetrics(registry: Registry) {
  const commands = new Histogram({
    name: 'parley_redis_command_duration_seconds',
    help: 'Time from sending a command, script or transaction to the reply of Redis',
    buckets: REDIS_BUCKETS,
    registers: [registry],
  });
  const reconnects = new Counter({
    name: 'parley_redis_reconnects_total',
    help: 'Times that a connection to Redis was lost and established again, by connection',
    labelNames: ['connection'],
    registers: [registry],
  });
  return {
    redisReplied: (seconds: number) => commands.observe(seconds),
    redisReconnected: (connection: 'commands' | 'subscriber') => reconnects.inc({ connection }),
  };
}

/** For the primary: collects and adds up the metrics of all workers. */
export function createSharedMetrics(): { text(): Promise<string> } {
  const registry = new AggregatorRegistry();
  return { text: () => registry.clusterMetrics() };
}

/** On a port of its own: metrics are neither for clients nor for web pages of other sites. */
export function createMetricsServer({ text }: { text(): Promise<string> }, check: HostCheck): Server {
  return createServer((req, res) => {
    const isKnown = req.url?.split('?', 1)[0] === '/metrics';
    const isRead = req.method === 'GET' || req.method === 'HEAD';
    const status = check(req.headers.host ?? '') !== 'served' ? 421 : !isKnown ? 404 : isRead ? 200 : 405;
    res.setHeader('Cache-Control', 'no-store');
    if (status === 405) res.setHeader('Allow', 'GET, HEAD');
    if (status !== 200) return void res.writeHead(status).end(`${STATUS_CODES[status]}\n`);
    text().then(
      (all) => res.setHeader('Content-Type', Registry.PROMETHEUS_CONTENT_TYPE).end(all),
      (error: unknown) => res.writeHead(503).end(`${error}\n`), // a sum without one of the workers would be wrong
    );
  });
}
