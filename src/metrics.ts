/** What this node counts, for Prometheus. Hot paths count in numbers of their own scale: once per burst, not per stream. */
import { readFileSync } from 'node:fs';
import { createServer, type Server, STATUS_CODES } from 'node:http';
import { AggregatorRegistry, Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { operations } from './contract.d.ts';
import type { HostCheck } from './hosts.ts';

/** How often the event loop is asked how late it is. Half as often as is usual: asking is most of what an idle node does. */
const LAG_PERIOD_MS = 20;

/** Open for hours. */
const STREAM: keyof operations = 'openStream';

const version = (): string =>
  JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version;

export type Metrics = ReturnType<typeof createMetrics>;

export function createMetrics(openStreams: () => number) {
  const registry = new Registry();
  const registers = [registry];
  // Event-loop lag, memory, CPU and garbage collection come with these.
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: LAG_PERIOD_MS });
  const requests = new Counter({
    name: 'parley_requests_total',
    help: 'Requests answered, by operation and status',
    labelNames: ['operation', 'status'],
    registers,
  });
  const durations = new Histogram({
    name: 'parley_request_duration_seconds',
    help: 'Time from the request to the end of its response, by operation; streams are left out',
    labelNames: ['operation'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
    registers,
  });
  new Gauge({
    name: 'parley_build_info',
    help: 'Always 1; the labels say what is running',
    labelNames: ['version', 'node_version'],
    aggregator: 'first', // workers are the same build
    registers,
  }).set({ version: version(), node_version: process.version }, 1);
  const sends = new Counter({
    name: 'parley_sends_total',
    help: 'Messages stored',
    labelNames: ['kind'],
    registers,
  });
  const refusals = new Counter({
    name: 'parley_refusals_total',
    help: 'Requests and connections refused for too much use, by reason',
    labelNames: ['reason'],
    registers,
  });
  const count = (what: string, help: string) =>
    new Counter({ name: `parley_${what}_total`, help, registers });
  const live = {
    deliveries: count('deliveries', 'Messages written to streams'),
    replays: count('replays', 'Of these, messages read again from a log'),
    gaps: count('gaps', 'Gaps reported to streams'),
    slow: count('slow_readers', 'Times that a stream fell behind because its socket did not drain'),
  };
  const cuts = count('cut_answers', 'Answers that were cut because they did not leave');
  const redis = new Histogram({
    name: 'parley_redis_seconds',
    help: 'Time until Redis answered a command or script',
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 3],
    registers,
  });
  new Gauge({
    name: 'parley_open_streams',
    help: 'Streams open now',
    registers,
    collect() {
      this.set(openStreams());
    },
  });
  return {
    request(operation: string, status: number, seconds: number): void {
      requests.inc({ operation, status });
      if (operation !== STREAM) durations.observe({ operation }, seconds);
    },
    sent: (kind: string) => sends.inc({ kind }),
    refused: (reason: string) => refusals.inc({ reason }),
    cut: () => cuts.inc(),
    counted: (what: keyof typeof live, howMany: number) => live[what].inc(howMany),
    redis: (seconds: number) => redis.observe(seconds),
    text: () => registry.metrics(),
    /** For a worker: the primary asks for these, and serves them together with those of the others. */
    share(): void {
      AggregatorRegistry.setRegistries(registry);
      new AggregatorRegistry(); // listens for the primary's question
    },
  };
}

/** For the primary: asks all workers, and adds up. */
export function createSharedMetrics(): { text(): Promise<string> } {
  const registry = new AggregatorRegistry();
  return { text: () => registry.clusterMetrics() };
}

/** On a port of its own: metrics are not for those who chat, and not for pages of strangers either. */
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
      (error: unknown) => res.writeHead(503).end(`${error}\n`), // a worker does not answer: half a sum is no sum
    );
  });
}
