-- inbox: one account's inbox with all its counters. A counter changes in the script that changes what it counts. All
-- counters share one field of the meta: a second field would cost Redis as much as all the rest.
--   meta     epoch, first, last, mark, as of every log, and
--            counters  msgpack, see COUNTERS. An inbox that has entries and no counters was written by a release without
--                      them, with acked, received, read and dropped as fields: inbox-recount.lua must run first
--            counting  progress of the recount: COUNTERS, and the seq up to which they are correct
--   mail     seq → 'size next sender' of an unread entry; next: the same sender's next one, or 0. '!' of a tombstone
--   senders  sender → msgpack of unread, bytes, oldest, newest, size, isFriend, isHeavy, for those with unread mail; size
--            is the newest entry's; isFriend: the owner has written to them; isHeavy: they are in heavy as well
--   friends  accounts that the owner has ever written to
--   heavy    senders with more than 1/64 of the inbox: at most 128, so that the fullest of them is found at once
-- Its limits are `limit` entries and `maxBytes`; tombstones count for neither.
local HEAVY = 1 / 64
local FROM = '^%S+ %S+ {"id":"[^"]+","kind":"dm","from":"([^"]+)"'
local TO = '^%S+ %S+ {"id":"[^"]+","kind":"dm","from":"[^"]+","to":"([^"]+)"'

-- `at` is the place in KEYS of the list; meta, ids, senders, mail, friends and heavy follow it.
local function inbox(at, limit, maxBytes)
  local list, meta, ids, senders, mail, friends, heavy = unpack(KEYS, at, at + 6)
  local m = redis.call('HMGET', meta, 'epoch', 'mark', 'counters')
  local first, last, acked, received, read, dropped, unread, bytes, evicted, evictedAt, strangers, strangerBytes, stored =
    unpackCounters(m[3])
  return {
    list = list, meta = meta, ids = ids, senders = senders, mail = mail, friends = friends, heavy = heavy,
    limit = limit, maxBytes = maxBytes, isCounted = m[3] or not m[1],
    epoch = m[1], mark = m[2] or '-', first = first, last = last, acked = acked,
    received = received, read = read, dropped = dropped, unread = unread, bytes = bytes, evicted = evicted,
    evictedAt = evictedAt, strangers = strangers, strangerBytes = strangerBytes, stored = stored, waiting = {},
  }
end

-- The unread mail of a sender in this inbox. Read once; save() writes the changes. `known` is the value of `senders`.
local function waiting(box, name, known)
  local of = box.waiting[name]
  if of then return of end
  local senders, friends = box.senders, box.friends
  local value = known or redis.call('HGET', senders, name)
  if value then
    local unread, bytes, oldest, newest, size, isFriend, isHeavy = cmsgpack.unpack(value)
    of = {
      unread = unread, bytes = bytes, oldest = oldest, newest = newest, size = size, isFriend = isFriend,
      isHeavy = isHeavy,
    }
  else
    local isFriend = redis.call('HEXISTS', friends, name) == 1
    of = { unread = 0, bytes = 0, oldest = 0, newest = 0, size = 0, isFriend = isFriend, isHeavy = false }
  end
  box.waiting[name] = of
  return of
end

-- The share of the inbox that a sender fills, from 0 to 1.
local function fullness(box, of) return math.max(of.unread / box.limit, of.bytes / box.maxBytes) end

local function saveSender(box, name, of)
  local senders, heavy = box.senders, box.heavy
  local isHeavy = fullness(box, of) >= HEAVY
  if of.unread == 0 then
    redis.call('HDEL', senders, name)
  else
    redis.call('HSET', senders, name,
      cmsgpack.pack(of.unread, of.bytes, of.oldest, of.newest, of.size, of.isFriend, isHeavy))
  end
  if isHeavy and not of.isHeavy then redis.call('HSET', heavy, name, '')
  elseif of.isHeavy and not isHeavy then redis.call('HDEL', heavy, name) end
end

local function pack(box)
  return packCounters(box.first, box.last, box.acked, box.received, box.read, box.dropped, box.unread, box.bytes,
    box.evicted, box.evictedAt, box.strangers, box.strangerBytes, box.stored)
end

local function saveSenders(box)
  for name, of in pairs(box.waiting) do if of.hasChanged then saveSender(box, name, of) end end
end

-- seq: the newest one, as text. hasMoved: the sender is new, or its first entry changed.
local function save(box, seq, hasMoved)
  local meta = box.meta
  saveSenders(box)
  if hasMoved then
    redis.call('HSET', meta, 'epoch', box.epoch, 'first', int(box.first), 'last', seq, 'mark', box.mark, 'counters',
      pack(box))
  else
    redis.call('HSET', meta, 'last', seq, 'mark', box.mark, 'counters', pack(box))
  end
end

-- Add or remove unread mail of a sender.
local function count(box, of, entries, bytes)
  of.unread, of.bytes, of.hasChanged, box.unread = of.unread + entries, of.bytes + bytes, true, box.unread + entries
  if of.isFriend then return end
  box.strangers, box.strangerBytes = box.strangers + entries, box.strangerBytes + bytes
end

-- The entry at seq becomes unread; `at` is seq as text, `of` is waiting(box, name).
local function receive(box, seq, at, size, name, of)
  local mail = box.mail
  local record = int(size) .. ' 0 ' .. name
  if of.unread == 0 then
    of.oldest = seq
    redis.call('HSET', mail, at, record)
  else
    redis.call('HSET', mail, int(of.newest), int(of.size) .. ' ' .. at .. ' ' .. name, at, record)
  end
  of.newest, of.size = seq, size
  count(box, of, 1, size)
end

-- The entry of a `mail` record is no longer unread. It is the oldest of its sender: every script removes entries in
-- this order. A tombstone has no sender.
local function release(box, record)
  local size, next, name = string.match(record, '^(%d+) (%d+) (.+)$')
  if not size then return end
  local of = waiting(box, name)
  count(box, of, -1, -tonumber(size))
  of.oldest = tonumber(next)
end

-- The account has written to this one.
local function befriend(box, name)
  local friends = box.friends
  if redis.call('HSETNX', friends, name, '') == 0 then return end
  local of = waiting(box, name)
  if of.isFriend then return end
  box.strangers, box.strangerBytes = box.strangers - of.unread, box.strangerBytes - of.bytes
  of.isFriend, of.hasChanged = true, true
end
