/**
 * The unit of all prices. A point is about 50 µs of CPU time, of this node or of Redis. The bytes of a request and of its
 * answer are charged in addition. The price of each operation stands beside the operation, in http/operations.
 */
export type Price = {
  /** Taken from the caller's account and from the networks before the work begins. */
  points: number;
  /** How many of the ACCOUNT_IN_FLIGHT places it takes: of an operation that takes 4, a quarter may be in flight. */
  places: number;
  /** The largest answer in KiB: what it may hold in memory until it has left. A larger one is not sent, but 500. */
  answerKiB: number;
  /** Its body goes to every stream of this node. */
  isToAll?: true;
  /** What a field of the body asks for in addition. */
  extraPoints?(body: unknown): number;
};

/** Charged for every request, whatever it is, to the networks alone. */
export const ENTRY_POINTS = 1;
/** Charged for a failed request (any 4xx but 429) in addition, to the networks alone: no legitimate client fails all day. */
export const FAULT_POINTS = 9;
/** Bytes per point: a response is copied, a body parsed and checked, a broadcast written to each stream (60 µs for 16 KB). */
export const ANSWER_BYTES = 2_048;
export const BODY_BYTES = 1_024;
export const FAN_OUT_BYTES = 8_192;
/** An invalid body costs this many times its bytes in addition: no legitimate client sends large invalid bodies. */
export const BAD_BODY_FACTOR = 7;

/** What operations of the same kind cost. */
export const READ = { points: 1, places: 1, answerKiB: 4 };
export const WRITE = { points: 3, places: 1, answerKiB: 4 };
/** A page ends at 256 KiB, or with the one message that is larger. */
export const READ_PAGE = { points: 3, places: 4, answerKiB: 320 };
/** Hashing a password takes a thread for 200 ms. The answer to a login holds a hundred users. */
export const PASSWORD = { points: 20, places: 2, answerKiB: 64 };

/** The web page, the reference, the contract as a file. They are Parley's own, and as large as they are. */
export const PAGE_PRICE: Omit<Price, 'answerKiB'> = { points: 0, places: 2 };
