import { fetchEventSource } from '@microsoft/fetch-event-source';
import type { Listen } from './reader.ts';

/** The package is made for browsers and uses these two globals. */
Object.assign(globalThis, { window: globalThis, document: { removeEventListener: () => undefined } });

export const listen: Listen = ({ url, token, signal, onEvent }) => {
  void fetchEventSource(`${url}/v1/events`, {
    headers: { Authorization: `Bearer ${token}` },
    signal,
    openWhenHidden: true,
    onmessage: ({ data }) => {
      if (data) onEvent(JSON.parse(data)); // `retry:` alone is reported as an empty message
    },
    onclose: () => {
      throw new Error('reconnect'); // makes it reconnect after a normal end
    },
  });
};
