/** The session in memory. Reports every change, and aborts a signal when the session ends or another one starts. */
import type { EndReason, Session, SessionChange } from './session.ts';

export type CurrentSession = ReturnType<typeof createCurrentSession>;

export function createCurrentSession(onChange: (change: SessionChange) => void) {
  let current: Session | undefined;
  let lifetime = new AbortController();

  return {
    get: (): Session | undefined => current,
    /** Aborts when the session ends. */
    signal: (): AbortSignal => lifetime.signal,

    start(session: Session): void {
      lifetime.abort();
      lifetime = new AbortController();
      current = session;
      onChange({ kind: 'started', session });
    },

    /** Replaces the tokens or the nonce of the session, without reporting it. */
    update(session: Session): void {
      current = session;
    },
    reportRefreshed: (session: Session): void => onChange({ kind: 'refreshed', session }),

    end(reason: EndReason): void {
      if (!current) return;
      current = undefined;
      lifetime.abort();
      onChange({ kind: 'ended', reason });
    },
  };
}
