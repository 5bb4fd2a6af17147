import type { Socket } from 'node:net';
import type { Budget, Budgets } from './budgets.ts';
import type { Connection } from './connection.ts';
import type { Reason } from './rejections.ts';

/** What all passages share. */
export type AdmissionContext = {
  accounts: Budgets;
  refused: (reason: Reason, network: string) => void;
  /** The connection has become a stream. */
  streaming: (connection: Connection) => void;
  /** What stood for a connection is over, or will be when this socket closes. */
  uncount: (budgets: Budget[], socket?: Socket) => void;
  /** How many streams a broadcast goes to. */
  audience: () => number;
};
