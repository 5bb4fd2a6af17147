import type { Socket } from 'node:net';
import type { Budget, Budgets } from './budgets.ts';
import type { Connection } from './connection.ts';
import type { Reason } from './rejections.ts';

/** Shared by the admissions of all requests. */
export type AdmissionContext = {
  accounts: Budgets;
  onReject: (reason: Reason, network: string) => void;
  /** The connection has become a stream. */
  becomeStream: (connection: Connection) => void;
  /** Takes back what was counted as a connection, now or when this socket closes. */
  uncount: (budgets: Budget[], socket?: Socket) => void;
  /** The number of streams that receive a broadcast. */
  streamCount: () => number;
};
