/**
 * A counting semaphore with a bounded FIFO queue. A request may take several places; the first in the queue waits for all
 * of its places, and smaller ones behind it do not overtake it.
 */
export type Waiter = { places: number; onEnter: () => void };

export class Semaphore {
  readonly #places: number;
  readonly #maxWaiting: number;
  #taken = 0;
  #queue: Waiter[] = [];

  /** `places` 0: no limit. */
  constructor(places: number, maxWaiting: number) {
    this.#places = places || Number.POSITIVE_INFINITY;
    this.#maxWaiting = maxWaiting;
  }

  get isIdle(): boolean {
    return this.#taken === 0 && this.#queue.length === 0;
  }

  /** Takes the places if that is possible without waiting. */
  enter(places: number): boolean {
    if (this.#queue.length > 0 || !this.#fits(places)) return false;
    this.#taken += places;
    return true;
  }

  /** Calls `onEnter` when the places are taken. False if the queue is full. */
  enqueue(waiter: Waiter): boolean {
    if (this.#queue.length >= this.#maxWaiting) return false;
    this.#queue.push(waiter);
    return true;
  }

  remove(waiter: Waiter): void {
    const index = this.#queue.indexOf(waiter);
    if (index < 0) return;
    this.#queue.splice(index, 1);
    this.#next();
  }

  leave(places: number): void {
    this.#taken -= places;
    if (this.#queue.length > 0) this.#next();
  }

  /** A request that needs more places than there are may enter when it is alone. */
  #fits(places: number): boolean {
    return this.#taken + places <= this.#places || this.#taken === 0;
  }

  #next(): void {
    while (this.#queue.length > 0 && this.#fits(this.#queue[0]!.places)) {
      const waiter = this.#queue.shift()!;
      this.#taken += waiter.places;
      waiter.onEnter();
    }
  }
}
