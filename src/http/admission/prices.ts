/**
 * What each operation costs, complete by type. A point is about 50 µs of a core, of this node or of Redis; what goes in
 * and comes out is charged beside it, by its bytes.
 */
import type { OperationId } from '../operations.ts';

export type Price = {
  /** Taken from the caller's account and from the networks before the work begins. */
  points: number;
  /** How many of the ACCOUNT_IN_FLIGHT places it takes: of an operation that takes 4, a quarter may be in flight. */
  places: number;
  /** The largest answer in KiB: what it may hold in memory until it has left. A larger one is not sent, but 500. */
  answerKiB: number;
  /** Its body goes to every stream of this node. */
  isToAll?: true;
};

/** Of whatever comes, also of what is nothing; taken from the networks alone. */
export const ENTRY_POINTS = 1;
/** Of what was asked in vain (any other 4xx), beside that and of the networks alone: nobody honest does it all day. */
export const FAULT_POINTS = 9;
/** Bytes for a point: an answer is read and copied, a body is parsed and checked, a broadcast is written to each stream (60 µs for 16 KB). */
export const ANSWER_BYTES = 2_048;
export const BODY_BYTES = 1_024;
export const FAN_OUT_BYTES = 8_192;
/** What a body that does not fit costs beside that, as a multiple: no honest one is large and bad. */
export const BAD_BODY_FACTOR = 7;

const read = { points: 1, places: 1, answerKiB: 4 };
const write = { points: 3, places: 1, answerKiB: 4 };
/** A page ends at 256 KiB, or with the one message that is larger. */
const page = { points: 3, places: 4, answerKiB: 320 };
/** A hash of a password: a thread for 200 ms. The answer to a login holds a hundred users. */
const password = { points: 20, places: 2, answerKiB: 64 };

export const PRICES: Record<OperationId, Price> = {
  register: password,
  login: password,
  refresh: { ...write, answerKiB: 64 },
  logout: write,
  getMe: read,
  updateMe: write,
  getUser: { ...read, points: 2 },
  // A thousand names, each as long as names may be.
  listOnline: { ...page, points: 10, answerKiB: 512 },
  sendBroadcast: { ...write, answerKiB: 32, isToAll: true },
  listBroadcasts: page,
  sendDirect: { ...write, answerKiB: 32 },
  listDirect: page,
  listConversations: { ...page, points: 5 },
  getMailbox: page,
  ackMailbox: write,
  // Until it is open. What it reads then is charged beside it, and waits for the points.
  openStream: { points: 20, places: 4, answerKiB: 0 },
  createTicket: write,
  liveness: read,
  readiness: { ...read, points: 2 },
};

/** The web page, the reference, the contract as a file. They are Parley's own, and as large as they are. */
export const PAGE_PRICE: Omit<Price, 'answerKiB'> = { points: 0, places: 2 };
