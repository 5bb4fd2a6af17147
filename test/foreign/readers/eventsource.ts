import { EventSource } from 'eventsource';
import type { Listen, Source } from './reader.ts';

const KINDS = ['ready', 'dm', 'broadcast', 'gap'];

function addListeners(stream: EventSource, { onEvent, signal }: Source, onId?: (id: string) => void): void {
  for (const kind of KINDS) {
    stream.addEventListener(kind, ({ data, lastEventId }) => {
      onId?.(lastEventId);
      onEvent(JSON.parse(data));
    });
  }
  signal.addEventListener('abort', () => stream.close());
}

/** The package accepts a custom `fetch`, which adds the header. */
export const listen: Listen = (source) => {
  const headers = { Authorization: `Bearer ${source.token}` };
  const stream = new EventSource(`${source.url}/v1/events`, {
    fetch: (url, init) => fetch(url, { ...init, headers: { ...init.headers, ...headers } }),
  });
  addListeners(stream, source);
};

/** Like in a browser, without headers: the automatic reconnect is rejected, so a new instance with a new ticket is created. */
export const listenWithTickets: Listen = (source) => {
  let lastEventId = '';
  const open = async () => {
    if (source.signal.aborted) return;
    const ticket = await source.ticket();
    const query = new URLSearchParams({ ticket, ...(lastEventId && { after: lastEventId }) });
    const stream = new EventSource(`${source.url}/v1/events?${query}`);
    addListeners(stream, source, (id) => {
      lastEventId = id;
    });
    stream.addEventListener('error', () => {
      if (stream.readyState === stream.CLOSED) void open();
    });
  };
  void open();
};
