/**
 * Keys are spread over 1,024 partitions, so that everything of one account lies in one slot of a Redis Cluster, and so that
 * partitions can be enumerated. Each partition has a hash tag of three characters, whose slot is a multiple of 16: any even
 * split of the slots is even in partitions. Pure.
 */
import slotOf from 'cluster-key-slot';
import { otherMember } from '../channels.ts';
import { PARTITION_TAGS } from './partition-tags.ts';

export const PARTITIONS = 1_024;
const SLOTS_PER_PARTITION = 16_384 / PARTITIONS;
const TAG_LENGTH = 3;

export const TAGS: readonly string[] = Array.from({ length: PARTITIONS }, (_, partition) =>
  PARTITION_TAGS.slice(partition * TAG_LENGTH, (partition + 1) * TAG_LENGTH),
);

export const tagOf = (username: string): string => TAGS[Math.floor(slotOf(username) / SLOTS_PER_PARTITION)]!;

/**
 * A direct channel lies beside one of its two members, chosen by a bit of its own slot: half of anybody's channels lie
 * elsewhere.
 */
export function tagOfChannel(channel: string): string {
  const first = channel.slice(channel.indexOf(':') + 1, channel.indexOf('|'));
  return tagOf(slotOf(channel) % 2 === 0 ? first : otherMember(channel, first));
}
