import { EventSource } from 'eventsource';
import type { Listen, Source } from './reader.ts';

const KINDS = ['ready', 'dm', 'broadcast', 'gap'];

function hearAll(stream: EventSource, { hear, signal }: Source, place?: (id: string) => void): void {
  for (const kind of KINDS) {
    stream.addEventListener(kind, ({ data, lastEventId }) => {
      place?.(lastEventId);
      hear(JSON.parse(data));
    });
  }
  signal.addEventListener('abort', () => stream.close());
}

/** It takes a `fetch` that adds the header, and does the rest. */
export const listen: Listen = (source) => {
  const headers = { Authorization: `Bearer ${source.token}` };
  const stream = new EventSource(`${source.url}/v1/events`, {
    fetch: (url, init) => fetch(url, { ...init, headers: { ...init.headers, ...headers } }),
  });
  hearAll(stream, source);
};

/** As in a browser, without headers: its own second try is refused, so a new one is made, with a new ticket. */
export const listenWithTickets: Listen = (source) => {
  let lastEventId = '';
  const open = async () => {
    if (source.signal.aborted) return;
    const ticket = await source.ticket();
    const query = new URLSearchParams({ ticket, ...(lastEventId && { after: lastEventId }) });
    const stream = new EventSource(`${source.url}/v1/events?${query}`);
    hearAll(stream, source, (id) => {
      lastEventId = id;
    });
    stream.addEventListener('error', () => {
      if (stream.readyState === stream.CLOSED) void open();
    });
  };
  void open();
};
