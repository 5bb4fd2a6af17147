/** What a reader is given, and how it is told to begin. It hands over the data of each event, as it came, and comes back by itself. */
export type Source = {
  url: string;
  token: string;
  /** A new one for each connection. */
  ticket: () => Promise<string>;
  signal: AbortSignal;
  hear: (event: unknown) => void;
};

export type Listen = (source: Source) => void;
