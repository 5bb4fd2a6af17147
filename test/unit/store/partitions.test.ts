/** Partitions: their tags, and which keys share one. */
import slotOf from 'cluster-key-slot';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { directChannel } from '../../../src/store/channels.ts';
import { createKeys, inboxKeys } from '../../../src/store/redis/keys.ts';
import { PARTITIONS, TAGS, tagOf } from '../../../src/store/redis/partitions.ts';

const keys = createKeys('parley:', 'realm');
const username = fc.stringMatching(/^[a-z0-9а-яё一-龥]{1,20}$/);

test('each partition has a unique tag of three characters, whose slot is 16 times its number', () => {
  expect(TAGS.length).toBe(PARTITIONS);
  expect(new Set(TAGS).size).toBe(PARTITIONS);
  for (const [partition, tag] of TAGS.entries()) {
    expect(tag).toMatch(/^[^{}:*?[\]\\]{3}$/);
    expect(slotOf(tag)).toBe(16 * partition);
  }
});

test('all keys of an account share a slot', () => {
  fc.assert(
    fc.property(username, (name) => {
      const all = [keys.account(name), keys.session(name, 'sid'), keys.sessions(name), keys.sendLimit(name)];
      const slots = [...all, ...inboxKeys(keys.inbox(name)), keys.inbox(name).pubsub].map((key) =>
        slotOf(key),
      );
      expect(new Set(slots)).toEqual(new Set([slotOf(tagOf(name))]));
      expect(keys.usernameIn(keys.account(name))).toBe(name);
    }),
  );
});

test('the log of a direct channel shares a slot with one of its members, in either order', () => {
  const chosen = [0, 0];
  fc.assert(
    fc.property(username, username, (a, b) => {
      const { list, hash } = keys.direct(directChannel(a, b));
      expect(keys.direct(directChannel(b, a)).list).toBe(list);
      expect(slotOf(hash)).toBe(slotOf(list));
      const members = [a, b].toSorted().map((name) => slotOf(keys.inbox(name).list));
      expect(members).toContain(slotOf(list));
      if (members[0] !== members[1]) chosen[members.indexOf(slotOf(list))]! += 1;
    }),
    { numRuns: 1_000 },
  );
  expect(Math.min(...chosen)).toBeGreaterThan(300); // neither is preferred
});

test('usernames spread evenly over the slots', () => {
  const groups = 16; // of 64 partitions: 625 names each
  const counts = Array.from({ length: groups }, () => 0);
  for (let n = 0; n < 10_000; n += 1)
    counts[Math.floor((TAGS.indexOf(tagOf(`user${n}`)) * groups) / PARTITIONS)]! += 1;
  const even = 10_000 / groups;
  for (const count of counts) {
    expect(count).toBeGreaterThan(even * 0.5);
    expect(count).toBeLessThan(even * 1.5);
  }
});
