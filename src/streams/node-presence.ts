/**
 * This node's part of presence: announces which accounts have a stream here, and receives changes from all nodes.
 * Announcements are reconciled: what Redis did not accept is sent again with the next heartbeat, and a node that was
 * declared dead (it was suspended for a while) announces all its accounts again.
 */
import type { AccountStore } from '../store/accounts.ts';
import type { PresenceMessage } from '../store/online-sizes.ts';
import type { PresenceStore } from '../store/presence.ts';
import type { ReportError } from '../store/unexpected-errors.ts';
import { createEvictor } from './evictor.ts';

const HEARTBEAT_MS = 3_000;
/** An account stays online this long after its last stream here ends, so that a reconnect does not flicker. */
const GRACE_MS = 5_000;
const LEAVE_CHECK_MS = 250;
/**
 * Changes are collected and sent to every stream together, so that a mass login costs only a few percent of CPU time.
 */
const COLLECT_MS = 250;
const COLLECT_MS_PER_STREAM = 0.2;
const MAX_COLLECT_MS = 2_000;
/** Announcements in flight when a node announces all its accounts again. */
const ANNOUNCE_BATCH = 250;

/** `resync`: changes were missed; clients that keep a list must fetch it again. */
export type PresenceChange = { total: number; online?: string[]; offline?: string[]; resync?: true };

export type NodePresenceOptions = {
  presence: PresenceStore;
  accounts: AccountStore;
  now: () => number;
  onChange: (change: PresenceChange) => void;
  /** Number of streams on this node. */
  streams: () => number;
  /** Called after each heartbeat, for other work that keeps node and Redis in sync. */
  onHeartbeat: () => Promise<void>;
  reportError: ReportError;
};

export class NodePresence {
  readonly #options: NodePresenceOptions;
  readonly #evictor: ReturnType<typeof createEvictor>;
  /** Accounts with a stream here, and those of them that have been announced. */
  readonly #local = new Set<string>();
  #announced = new Set<string>();
  /** Accounts whose last stream here has ended, with the time their grace period ends. */
  readonly #leaving = new Map<string, number>();
  readonly #changes = new Map<string, 'online' | 'offline'>();
  readonly #heartbeatTimer: NodeJS.Timeout;
  readonly #leaveTimer: NodeJS.Timeout;
  #collectTimer: NodeJS.Timeout | undefined;
  #reportedTotal = 0;
  #isHeartbeatPending = false;

  constructor(options: NodePresenceOptions) {
    this.#options = options;
    this.#evictor = createEvictor(options);
    this.#heartbeatTimer = setInterval(() => void this.#tryHeartbeat(), HEARTBEAT_MS);
    this.#leaveTimer = setInterval(() => this.#announceLeaves(), LEAVE_CHECK_MS);
  }

  /** Send the first heartbeat. */
  start(): Promise<void> {
    return this.#sendHeartbeat();
  }

  total(): number {
    return this.#options.presence.sizes.total();
  }

  /**
   * The first stream of an account on this node. Resolves when Redis has recorded it, or when the announcement failed and
   * will be repeated.
   */
  async join(username: string): Promise<void> {
    this.#local.add(username);
    this.#leaving.delete(username);
    if (!this.#announced.has(username)) await this.#announce(username).catch(() => {});
  }

  /** The last stream of an account on this node has ended. */
  leave(username: string): void {
    this.#local.delete(username);
    this.#leaving.set(username, performance.now() + GRACE_MS);
  }

  /** Handle a published change. */
  receiveChange(message: PresenceMessage): void {
    if (message.kind === 'renamed') return;
    const usernames = message.kind === 'online' ? [message.username] : message.usernames;
    for (const username of usernames) this.#changes.set(username, message.kind);
    this.#collect();
  }

  /**
   * Published changes may have been missed. Every client fetches the list again. Changes collected before are older
   * than that list, and a later change that reverts them may be among the missed ones, so they are dropped.
   */
  resync(): void {
    this.#changes.clear();
    clearTimeout(this.#collectTimer);
    this.#collectTimer = undefined;
    this.#report({ resync: true });
  }

  /** This node is stopping. Another node evicts its accounts after a grace period, unless they reconnect there. */
  async stop(): Promise<void> {
    clearInterval(this.#heartbeatTimer);
    clearInterval(this.#leaveTimer);
    clearTimeout(this.#collectTimer);
    await this.#evictor.stop();
    await this.#options.presence.retire().catch(() => {});
  }

  async #announce(username: string): Promise<void> {
    const announced = this.#announced;
    const reply = await this.#options.presence.join(username);
    if (reply === 'unknown') return void this.#tryHeartbeat();
    // If it left meanwhile, it is announced when it returns. If the node has another id by now, the set is another one.
    if (this.#local.has(username)) announced.add(username);
  }

  #announceLeaves(): void {
    for (const [username, dueAt] of this.#leaving)
      if (dueAt <= performance.now()) void this.#announceLeave(username);
  }

  async #announceLeave(username: string): Promise<void> {
    this.#leaving.delete(username);
    this.#announced.delete(username); // whatever the outcome: an account that returns meanwhile is announced again
    let reply: Awaited<ReturnType<PresenceStore['leave']>> | undefined;
    try {
      reply = await this.#options.presence.leave(username);
      if (reply === 'unknown') void this.#tryHeartbeat();
    } catch (error) {
      // Redis is unavailable: try again later
      this.#options.reportError('presence', error);
      if (!this.#local.has(username)) this.#leaving.set(username, performance.now() + HEARTBEAT_MS);
    }
    // The leave may have been applied after a newer join (a script retry can reorder them). Announce again.
    if (this.#local.has(username))
      await this.#announce(username).catch(() => this.#announced.delete(username));
    if (reply === 'offline') await this.#setLastSeen(username).catch(() => {}); // best effort
  }

  #collect(): void {
    const collectMs = Math.max(COLLECT_MS, this.#options.streams() * COLLECT_MS_PER_STREAM);
    this.#collectTimer ??= setTimeout(() => this.#reportChanges(), Math.min(collectMs, MAX_COLLECT_MS));
  }

  #reportChanges(): void {
    this.#collectTimer = undefined;
    const changes = [...this.#changes];
    this.#changes.clear();
    const namesOf = (state: string) => changes.filter(([, to]) => to === state).map(([username]) => username);
    this.#report({ online: namesOf('online'), offline: namesOf('offline') });
  }

  #report(change: Omit<PresenceChange, 'total'>): void {
    this.#reportedTotal = this.total();
    this.#options.onChange({ ...change, total: this.#reportedTotal });
  }

  async #tryHeartbeat(): Promise<void> {
    if (this.#isHeartbeatPending) return;
    this.#isHeartbeatPending = true;
    // Redis is unavailable; the next heartbeat does what this one did not.
    await this.#sendHeartbeat().catch((error: unknown) => this.#options.reportError('the heartbeat', error));
    this.#isHeartbeatPending = false;
  }

  async #sendHeartbeat(): Promise<void> {
    const { presence, onHeartbeat } = this.#options;
    const { isKnown } = await presence.sendHeartbeat();
    if (!isKnown) this.#announced = new Set();
    await this.#announceMissing();
    // A change may have been missed, and then nothing else would correct the number that clients show.
    if (this.total() !== this.#reportedTotal) this.#collect();
    await this.#evictor.check();
    await onHeartbeat();
  }

  async #announceMissing(): Promise<void> {
    const missing: string[] = [];
    for (const username of this.#local) if (!this.#announced.has(username)) missing.push(username);
    for (let i = 0; i < missing.length; i += ANNOUNCE_BATCH)
      await Promise.all(missing.slice(i, i + ANNOUNCE_BATCH).map((username) => this.#announce(username)));
  }

  #setLastSeen(username: string): Promise<void> {
    const { accounts, now } = this.#options;
    return accounts.setLastSeen(username, new Date(now()).toISOString());
  }
}
