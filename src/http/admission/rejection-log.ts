/** Counts rejections, and logs them together: they come in floods, and a line for each would be a flood as well. */
import type { Logger } from '../../logger.ts';
import type { Metrics } from '../../metrics.ts';
import type { Reason } from './rejections.ts';

export class RejectionLog {
  readonly #log: Logger;
  readonly #metrics: Metrics | undefined;
  #byReason = new Map<Reason, { count: number; network: string }>();

  constructor(log: Logger, metrics: Metrics | undefined) {
    this.#log = log;
    this.#metrics = metrics;
  }

  add(reason: Reason, network: string): void {
    this.#metrics?.rejected(reason);
    const entry = this.#byReason.get(reason);
    if (entry) entry.count += 1;
    else this.#byReason.set(reason, { count: 1, network });
  }

  /** Logs how often each reason applied since the last flush, with the first network it applied to. */
  flush(): void {
    for (const [reason, { count, network }] of this.#byReason)
      this.#log.warn({ reason, count, network }, 'refused');
    this.#byReason.clear();
  }
}
