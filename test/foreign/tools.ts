/** Third-party readers of event streams. Two have separate tests and are only listed here. */
import { spawnSync } from 'node:child_process';
import { CHROMIUM } from '../kit/chromium.ts';
import { versionOf } from './generators.ts';
import type { Listen } from './readers/reader.ts';

export type Reader = {
  name: string;
  version: () => string;
  auth: 'header' | 'ticket';
  /** Loads the adapter; undefined if a separate test covers the reader. */
  listen?: () => Promise<Listen>;
  note: string;
};

/** The version that a command reports. */
function commandVersion(command: string): string {
  const { stdout } = spawnSync(command, ['--version'], { encoding: 'utf8' });
  return /\d+\.[\d.]+/.exec(stdout ?? '')?.[0] ?? 'not installed';
}

export const readers: Reader[] = [
  {
    name: 'curl',
    version: () => commandVersion('curl'),
    auth: 'header',
    listen: async () => (await import('./readers/curl.ts')).listen,
    note: '`curl -sN` in a loop that sends the last `id:`',
  },
  {
    name: 'eventsource',
    version: () => versionOf('eventsource'),
    auth: 'header',
    listen: async () => (await import('./readers/eventsource.ts')).listen,
    note: 'reconnects by itself; a custom `fetch` adds the header',
  },
  {
    name: 'eventsource-with-tickets',
    version: () => versionOf('eventsource'),
    auth: 'ticket',
    listen: async () => (await import('./readers/eventsource.ts')).listenWithTickets,
    note: 'like a browser: a new instance with a new ticket and the last id as `after`',
  },
  {
    name: 'fetch-event-source',
    version: () => versionOf('@microsoft/fetch-event-source'),
    auth: 'header',
    listen: async () => (await import('./readers/fetch-event-source.ts')).listen,
    note: 'by `@microsoft`, in Node; reconnects by itself, after a normal end because `onclose` throws',
  },
  {
    name: 'hey-api',
    version: () => versionOf('@hey-api/openapi-ts'),
    auth: 'header',
    listen: async () => (await import('./readers/hey-api.ts')).listen,
    note: 'the generated `openStream`; reconnects after an error; a loop reconnects after a normal end',
  },
  {
    name: 'redocly',
    version: () => versionOf('@redocly/cli'),
    auth: 'header',
    listen: async () => (await import('./readers/redocly.ts')).listen,
    note: 'the generated `openStream`; reconnects after an error; a loop reconnects after a normal end or a 503',
  },
  {
    name: "Chromium's EventSource",
    version: () => commandVersion(CHROMIUM),
    auth: 'ticket',
    note: '`test/e2e/web/event-source.test.ts`',
  },
  {
    name: "Python's standard library",
    version: () => commandVersion('python3'),
    auth: 'header',
    note: '`test/e2e/examples.test.ts`: `examples/listen.py`',
  },
];
