-- inbox: one account's inbox, with everything that is counted about it. A counter changes in the script that changes
-- what it counts. `counts` begins with the `last` and `acked` for which all of them are true. If these are others, a
-- release without counters has written, and recount.lua must run first.
--   meta     received  messages of others, ever: the note of an entry is this count up to it
--            acked     position up to which all is acknowledged          read      note at acked
--            dropped   note at the newest entry that was trimmed
--            counts    'last acked unread bytes evicted evictedAt strangers strangerBytes stored', in one field because
--                      a hash of few fields is searched from its beginning for each
--            unread    entries waiting                                   bytes     of all entries
--            evicted   entries that are tombstones                       evictedAt seq of the newest tombstone
--            strangers, strangerBytes: of `unread`, what strangers sent
--            stored    bytes that the conversations hold of what the account sent
--   mail     seq → 'size next sender' of an unread entry; next: the same sender's next one, or 0. '!' of a tombstone
--   senders  sender → 'unread bytes oldest newest size group' of those with unread mail; size is the newest entry's;
--            group f: a friend, whom the account has written to; s: a stranger
--   friends  whom the account has ever written to
--   heavy    senders with more than 1/64 of the inbox: at most 128, so that the fullest of them is found at once
-- Its limits are `limit` entries and `maxBytes`; tombstones count for neither.
local HEAVY = 1 / 64
local FROM = '^%S+ %S+ {"id":"[^"]+","kind":"dm","from":"([^"]+)"'
local TO = '^%S+ %S+ {"id":"[^"]+","kind":"dm","from":"[^"]+","to":"([^"]+)"'

-- `at` is the place in KEYS of the list; meta, ids, senders, mail, friends and heavy follow it.
local function inbox(at, limit, maxBytes)
  local list, meta, ids, senders, mail, friends, heavy = unpack(KEYS, at, at + 6)
  local m = redis.call('HMGET', meta, 'epoch', 'first', 'last', 'mark', 'received', 'read', 'dropped', 'acked', 'counts')
  local at, upTo, unread, bytes, evicted, evictedAt, strangers, strangerBytes, stored =
    string.match(m[9] or '0 0 0 0 0 0 0 0 0', '^(%S+) (%S+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+)$')
  return {
    list = list, meta = meta, ids = ids, senders = senders, mail = mail, friends = friends, heavy = heavy,
    limit = tonumber(limit), maxBytes = tonumber(maxBytes),
    epoch = m[1], first = tonumber(m[2] or 1), last = tonumber(m[3] or 0), mark = m[4] or '-',
    received = tonumber(m[5] or 0), read = tonumber(m[6] or 0), dropped = tonumber(m[7] or 0),
    acked = tonumber(m[8] or 0), isCounted = not m[1] or (at == m[3] and upTo == (m[8] or '0')),
    unread = tonumber(unread), bytes = tonumber(bytes), evicted = tonumber(evicted), evictedAt = tonumber(evictedAt),
    strangers = tonumber(strangers), strangerBytes = tonumber(strangerBytes), stored = tonumber(stored),
  }
end

-- isPart: its counters are not whole. hasMoved: more of it has changed than a delivery does.
local function save(box, hasMoved, isPart)
  local meta = box.meta
  local counts = string.format('%s %d %d %d %d %d %d %d %d', isPart and '-' or int(box.last), box.acked, box.unread,
    box.bytes, box.evicted, box.evictedAt, box.strangers, box.strangerBytes, box.stored)
  redis.call('HSET', meta, 'last', int(box.last), 'mark', box.mark, 'received', int(box.received), 'counts', counts)
  if not hasMoved then return end
  redis.call('HSET', meta, 'epoch', box.epoch, 'first', int(box.first), 'read', int(box.read), 'dropped',
    int(box.dropped), 'acked', int(box.acked))
end

-- How much of the inbox a sender fills, from 0 to 1.
local function fullness(box, of) return math.max(of.unread / box.limit, of.bytes / box.maxBytes) end

-- What a sender has waiting here; `known` is the value of `senders`.
local function waiting(box, name, known)
  local senders, friends = box.senders, box.friends
  local value = known or redis.call('HGET', senders, name)
  if not value then
    local group = redis.call('HEXISTS', friends, name) == 1 and 'f' or 's'
    return { unread = 0, bytes = 0, oldest = 0, newest = 0, size = 0, group = group }
  end
  local unread, bytes, oldest, newest, size, group = string.match(value, '^(%d+) (%d+) (%d+) (%d+) (%d+) (%a)$')
  local of = {
    unread = tonumber(unread), bytes = tonumber(bytes), oldest = tonumber(oldest), newest = tonumber(newest),
    size = tonumber(size), group = group,
  }
  of.isHeavy = fullness(box, of) >= HEAVY
  return of
end

local function keep(box, name, of)
  local senders, heavy = box.senders, box.heavy
  if of.unread == 0 then
    redis.call('HDEL', senders, name)
  else
    redis.call('HSET', senders, name, string.format('%d %d %d %d %d %s', of.unread, of.bytes, of.oldest, of.newest,
      of.size, of.group))
  end
  if fullness(box, of) >= HEAVY then redis.call('HSETNX', heavy, name, '')
  elseif of.isHeavy then redis.call('HDEL', heavy, name) end
end

-- Unread mail of a sender comes or goes.
local function count(box, of, entries, bytes)
  of.unread, of.bytes, box.unread = of.unread + entries, of.bytes + bytes, box.unread + entries
  if of.group == 's' then
    box.strangers, box.strangerBytes = box.strangers + entries, box.strangerBytes + bytes
  end
end

-- The entry at seq waits from now on; `of` is waiting(box, name).
local function receive(box, seq, size, name, of)
  local mail = box.mail
  if of.unread == 0 then
    of.oldest = seq
    redis.call('HSET', mail, int(seq), int(size) .. ' 0 ' .. name)
  else
    redis.call('HSET', mail, int(of.newest), string.format('%d %d %s', of.size, seq, name), int(seq),
      int(size) .. ' 0 ' .. name)
  end
  of.newest, of.size = seq, size
  count(box, of, 1, size)
  keep(box, name, of)
end

-- The entry that a record of `mail` stands for waits no more. It is its sender's oldest: whatever takes entries away
-- takes them in this order. Answers the sender, to be kept; nothing for a tombstone.
local function release(box, record, known)
  local size, next, name = string.match(record, '^(%d+) (%d+) (.+)$')
  if not size then return nil end
  local of = known[name] or waiting(box, name)
  known[name] = of
  count(box, of, -1, -tonumber(size))
  of.oldest = tonumber(next)
  return name, of, tonumber(size)
end

-- The account has written to them.
local function befriend(box, name)
  local friends, senders = box.friends, box.senders
  if redis.call('HSETNX', friends, name, '') == 0 or not redis.call('HGET', senders, name) then return end
  local of = waiting(box, name)
  box.strangers, box.strangerBytes = box.strangers - of.unread, box.strangerBytes - of.bytes
  of.group = 'f'
  keep(box, name, of)
end
