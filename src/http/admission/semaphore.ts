/**
 * So many at once; a few more wait for their turn, first come, first served; what comes beyond is refused. What one
 * takes may be more than one place, and whoever is first in line waits for all of them, so that small ones never pass by.
 */
export type Waiting = { places: number; go: () => void };

export class Semaphore {
  readonly #places: number;
  readonly #room: number;
  #taken = 0;
  #line: Waiting[] = [];

  /** `places` 0: no limit. `room`: how many may wait. */
  constructor(places: number, room: number) {
    this.#places = places || Number.POSITIVE_INFINITY;
    this.#room = room;
  }

  get isIdle(): boolean {
    return this.#taken === 0 && this.#line.length === 0;
  }

  /** Whether it may go on at once. */
  enter(places: number): boolean {
    if (this.#line.length > 0 || !this.#fits(places)) return false;
    this.#taken += places;
    return true;
  }

  /** Calls `go` when its turn has come; false when too many wait. */
  line(waiting: Waiting): boolean {
    if (this.#line.length >= this.#room) return false;
    this.#line.push(waiting);
    return true;
  }

  /** It waits no longer. */
  unline(waiting: Waiting): void {
    const index = this.#line.indexOf(waiting);
    if (index < 0) return;
    this.#line.splice(index, 1);
    this.#next();
  }

  leave(places: number): void {
    this.#taken -= places;
    if (this.#line.length > 0) this.#next();
  }

  /** One that needs more places than there are goes when it is alone. */
  #fits(places: number): boolean {
    return this.#taken + places <= this.#places || this.#taken === 0;
  }

  #next(): void {
    while (this.#line.length > 0 && this.#fits(this.#line[0]!.places)) {
      const waiting = this.#line.shift()!;
      this.#taken += waiting.places;
      waiting.go();
    }
  }
}
