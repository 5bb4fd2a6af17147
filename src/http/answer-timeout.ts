/** Every request is answered in time, also when Redis hangs. */
const ANSWER_WITHIN_MS = 4_500;

export class AnswerTimeout {
  readonly #onTimeout: () => void;
  #timer: NodeJS.Timeout | undefined;
  #hasFired = false;

  constructor(onTimeout: () => void) {
    this.#onTimeout = onTimeout;
  }

  /** Starts the clock, unless it is running. */
  start(): void {
    this.#timer ??= setTimeout(() => {
      this.#hasFired = true;
      this.#onTimeout();
    }, ANSWER_WITHIN_MS);
  }

  /** False if it was too late: the client has been answered. */
  stop(): boolean {
    clearTimeout(this.#timer);
    return !this.#hasFired;
  }
}
