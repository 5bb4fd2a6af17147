/**
 * Channels: where people talk. Each has an id, members and its own log. This table is the only place that knows how many
 * kinds of channels there are. Pure.
 *
 * | kind     | id             | members                            |
 * |----------|----------------|------------------------------------|
 * | everyone | `everyone`     | every account                      |
 * | direct   | `dm:alice\|bob` | both, in the order of their names; or `dm:alice\|alice`, notes to oneself |
 */

/** `message`: the `kind` of its messages in the contract. `recipientOf`: their `to`, if they have one. */
type ChannelKind = {
  message: 'broadcast' | 'dm';
  recipientOf(channel: string, from: string): string | undefined;
};

export const EVERYONE = 'everyone';

const KINDS: Record<string, ChannelKind> = {
  everyone: { message: 'broadcast', recipientOf: () => undefined },
  dm: { message: 'dm', recipientOf: (channel, from) => otherMember(channel, from) },
};

export function kindOf(channel: string): ChannelKind | undefined {
  const end = channel.indexOf(':');
  return KINDS[end === -1 ? channel : channel.slice(0, end)];
}

/** Usernames contain no bars, colons or spaces. */
export const directChannel = (a: string, b: string): string => (a < b ? `dm:${a}|${b}` : `dm:${b}|${a}`);

/** The other member of a direct channel; the account itself for its notes. */
export function otherMember(channel: string, username: string): string {
  const bar = channel.indexOf('|');
  const first = channel.slice('dm:'.length, bar);
  return first === username ? channel.slice(bar + 1) : first;
}
