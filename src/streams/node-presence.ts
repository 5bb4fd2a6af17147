/**
 * This node's part of presence: announces which accounts have a stream here, and receives changes from all nodes.
 * Announcements are reconciled: what Redis did not accept is sent again with the next heartbeat, and a node that was
 * declared dead (it was suspended for a while) announces all its accounts again.
 */
import type { AccountStore } from '../store/accounts.ts';
import type { PresenceStore } from '../store/presence.ts';
import type { ReportError } from '../store/unexpected-errors.ts';

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
  /** Accounts with a stream here, and those of them that have been announced. */
  readonly #local = new Set<string>();
  readonly #announced = new Set<string>();
  /** Accounts whose last stream here has ended, with the time their grace period ends. */
  readonly #leaving = new Map<string, number>();
  readonly #changes = new Map<string, 'online' | 'offline'>();
  readonly #heartbeatTimer: NodeJS.Timeout;
  readonly #leaveTimer: NodeJS.Timeout;
  #collectTimer: NodeJS.Timeout | undefined;
  #total = 0;
  #resyncs = 0;
  #isHeartbeatPending = false;

  constructor(options: NodePresenceOptions) {
    this.#options = options;
    this.#heartbeatTimer = setInterval(() => void this.#tryHeartbeat(), HEARTBEAT_MS);
    this.#leaveTimer = setInterval(() => this.#announceLeaves(), LEAVE_CHECK_MS);
  }

  /** Send the first heartbeat. */
  start(): Promise<void> {
    return this.#sendHeartbeat();
  }

  total(): number {
    return this.#total;
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

  /** Handle a published change: `+username` or `-username`. */
  receiveChange(payload: string): void {
    this.#changes.set(payload.slice(1), payload.startsWith('+') ? 'online' : 'offline');
    const collectMs = Math.max(COLLECT_MS, this.#options.streams() * COLLECT_MS_PER_STREAM);
    this.#collectTimer ??= setTimeout(() => void this.#reportChanges(), Math.min(collectMs, MAX_COLLECT_MS));
  }

  /**
   * Published changes may have been missed. Every client fetches the list again. Changes collected before are older
   * than that list, and a later change that reverts them may be among the missed ones, so they are dropped.
   */
  resync(): void {
    this.#resyncs += 1;
    this.#changes.clear();
    clearTimeout(this.#collectTimer);
    this.#collectTimer = undefined;
    this.#options.onChange({ total: this.#total, resync: true });
  }

  /** This node is stopping. Another node evicts its accounts after a grace period, unless they reconnect there. */
  async stop(): Promise<void> {
    clearInterval(this.#heartbeatTimer);
    clearInterval(this.#leaveTimer);
    clearTimeout(this.#collectTimer);
    await this.#options.presence.retire().catch(() => {});
  }

  async #announce(username: string): Promise<void> {
    const reply = await this.#options.presence.join(username);
    if (reply === 'unknown') return void this.#tryHeartbeat();
    if (reply === 'online') this.#total += 1; // an estimate until the next count
    if (this.#local.has(username)) this.#announced.add(username); // if it left meanwhile, it is announced when it returns
  }

  #announceLeaves(): void {
    for (const [username, dueAt] of this.#leaving)
      if (dueAt <= performance.now()) void this.#announceLeave(username);
  }

  async #announceLeave(username: string): Promise<void> {
    this.#leaving.delete(username);
    this.#announced.delete(username); // whatever the outcome: an account that returns meanwhile is announced again
    let reply: 'offline' | 'unchanged' | undefined;
    try {
      reply = await this.#options.presence.leave(username);
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

  async #reportChanges(): Promise<void> {
    this.#collectTimer = undefined;
    const changes = [...this.#changes];
    this.#changes.clear();
    const resyncs = this.#resyncs;
    this.#total = await this.#options.presence.total().catch(() => this.#total);
    if (this.#resyncs !== resyncs) return; // clients already fetch the list, which is newer
    const namesOf = (state: string) => changes.filter(([, to]) => to === state).map(([username]) => username);
    this.#options.onChange({ online: namesOf('online'), offline: namesOf('offline'), total: this.#total });
  }

  async #tryHeartbeat(): Promise<void> {
    if (this.#isHeartbeatPending) return;
    this.#isHeartbeatPending = true;
    // Redis is unavailable and may have declared this node dead: the next heartbeat announces every account again.
    await this.#sendHeartbeat().catch((error: unknown) => {
      this.#announced.clear();
      this.#options.reportError('the heartbeat', error);
    });
    this.#isHeartbeatPending = false;
  }

  async #sendHeartbeat(): Promise<void> {
    const { presence, onHeartbeat } = this.#options;
    const { isKnown, dead } = await presence.sendHeartbeat();
    if (!isKnown) this.#announced.clear();
    const missing: string[] = [];
    for (const username of this.#local) if (!this.#announced.has(username)) missing.push(username);
    await Promise.all(missing.map((username) => this.#announce(username)));
    if (dead.length > 0) {
      const offline = await presence.evict(dead);
      await Promise.all(offline.map((username) => this.#setLastSeen(username)));
    }
    this.#total = await presence.total();
    await onHeartbeat();
  }

  #setLastSeen(username: string): Promise<void> {
    const { accounts, now } = this.#options;
    return accounts.setLastSeen(username, new Date(now()).toISOString());
  }
}
