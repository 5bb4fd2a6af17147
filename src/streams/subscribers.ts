/** The accounts with streams on this node, by username. Nodes count their streams here; the hub maintains it. */
import type { Stream } from './stream.ts';
import type { Subscriber } from './subscriber.ts';

export class Subscribers extends Map<string, Subscriber> {
  *streams(): Generator<Stream> {
    for (const subscriber of this.values()) yield* subscriber.streams;
  }

  get streamCount(): number {
    let count = 0;
    for (const { streams } of this.values()) count += streams.length;
    return count;
  }
}
