import type { Socket } from 'node:net';
import type { Connection } from './connection.ts';
import type { Parties, Party } from './parties.ts';
import type { Reason } from './refusals.ts';

/** What all passages share. */
export type Desk = {
  accounts: Parties;
  refused: (reason: Reason, network: string) => void;
  /** The connection has become a stream. */
  streaming: (connection: Connection) => void;
  /** What stood for a connection is over, or will be when this socket closes. */
  uncount: (parties: Party[], socket?: Socket) => void;
  /** How many streams a broadcast goes to. */
  audience: () => number;
};
