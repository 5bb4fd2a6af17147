/** The input of a reader, and its start function. A reader passes on the data of each event and reconnects by itself. */
export type Source = {
  url: string;
  token: string;
  /** Returns a new ticket for each connection. */
  ticket: () => Promise<string>;
  signal: AbortSignal;
  onEvent: (event: unknown) => void;
};

export type Listen = (source: Source) => void;
