import { fetchEventSource } from '@microsoft/fetch-event-source';
import type { Listen } from './reader.ts';

/** It is made for browsers, and touches these two names of theirs. */
Object.assign(globalThis, { window: globalThis, document: { removeEventListener: () => undefined } });

export const listen: Listen = ({ url, token, signal, hear }) => {
  void fetchEventSource(`${url}/v1/events`, {
    headers: { Authorization: `Bearer ${token}` },
    signal,
    openWhenHidden: true,
    onmessage: ({ data }) => {
      if (data) hear(JSON.parse(data)); // `retry:` alone comes as an empty message
    },
    onclose: () => {
      throw new Error('come back'); // its way to say so after an orderly end
    },
  });
};
