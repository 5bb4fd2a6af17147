-- inbox-eviction: makes room in a full inbox. Entries at its front that are not unread are trimmed. If the front is unread mail, the
-- oldest entry of one sender is evicted: a tombstone takes its place, so that positions stay arithmetic. A message from a
-- stranger evicts mail from strangers. One from a friend (or an own copy) evicts mail from strangers while they fill more
-- than a quarter of the inbox, otherwise from friends. A stranger's message therefore never evicts mail from a friend.

-- The tombstone keeps note and id: cursors that stand on it still match.
local TOMBSTONE = '! %s {"id":"%s"}'

-- Number of senders sampled when none is heavy.
local SAMPLE = 64
-- Maximum overhead of an entry over the message without its seq.
local ENTRY_BYTES = 64

-- The unread record at the front: a record of `mail`, or nil.
local function atFront(box)
  local mail = box.mail
  return box.first > box.acked and redis.call('HGET', mail, int(box.first)) or nil
end

-- Drop the oldest entry; `record` is atFront(box).
local function drop(box, record)
  local list, ids, mail, seq = box.list, box.ids, box.mail, box.first
  local entry = redis.call('LPOP', list)
  local origin, note, id = string.match(entry, ENTRY)
  box.first, box.dropped = seq + 1, tonumber(note)
  if origin == '!' then box.evicted = box.evicted - 1
  else box.bytes = box.bytes - #entry end
  redis.call('HDEL', ids, id)
  if not record then return end
  release(box, record)
  redis.call('HDEL', mail, int(seq))
end

-- Replace the oldest entry of a sender with a tombstone; `record` is atFront(box). At the front it would be dropped at
-- once.
local function evict(box, name, record)
  local list, mail = box.list, box.mail
  local of = waiting(box, name)
  local seq, bytes = of.oldest, of.bytes
  if seq == box.first then return drop(box, record) end
  local _, note, id = string.match(redis.call('LINDEX', list, seq - box.first), ENTRY)
  release(box, redis.call('HGET', mail, int(seq)))
  redis.call('LSET', list, seq - box.first, string.format(TOMBSTONE, note, id))
  redis.call('HSET', mail, int(seq), '!')
  box.bytes, box.evicted = box.bytes - (bytes - of.bytes), box.evicted + 1
  box.evictedAt = math.max(box.evictedAt, seq)
end

-- The friend, or the stranger, that fills most of the inbox: exact above 1/64 of the inbox; otherwise the fullest of a
-- sample.
local function fullest(box, isFriend)
  local senders, heavy = box.senders, box.heavy
  local best, most = nil, 0
  local function consider(name, value)
    local of = waiting(box, name, value)
    local share = fullness(box, of)
    if of.isFriend == isFriend and share > most then best, most = name, share end
  end
  local names = redis.call('HKEYS', heavy)
  local values = #names > 0 and redis.call('HMGET', senders, unpack(names))
  for i, name in ipairs(names) do if values[i] then consider(name, values[i]) end end
  if best then return best end
  local some = redis.call('HRANDFIELD', senders, SAMPLE, 'WITHVALUES')
  for i = 1, #some, 2 do consider(some[i], some[i + 1]) end
  return best
end

local function isFull(box, size)
  local entries = box.last - box.first + 1 - box.evicted
  return entries > 0 and (entries >= box.limit or box.bytes + size > box.maxBytes)
end

-- Tombstones accumulate behind an unacknowledged front. The list is limited to twice the limit for strangers and to
-- three times for friends: tombstones of strangers never take space from a friend.
local function isLong(box, isFriend)
  return box.last - box.first + 1 >= (isFriend and 3 or 2) * box.limit
end

local function isUnread(record) return record and record ~= '!' end

-- Whether a message of `size` bytes must be rejected: a stranger's, if only mail from friends could make room for it.
local function hasNoRoom(box, size, name)
  if not isLong(box, false) and not (box.strangers == 0 and isFull(box, size)) then return false end
  return not waiting(box, name).isFriend and isUnread(atFront(box))
end

-- The sender whose oldest entry is evicted to make room for a message from a friend or a stranger. `record` is
-- atFront(box).
local function payer(box, isFriend, record)
  local quarter = math.max(box.strangers / box.limit, box.strangerBytes / box.maxBytes)
  local isPaidByFriend = isFriend and quarter <= 1 / 4
  local front = string.match(record, '^%d+ %d+ (.+)$')
  local of = waiting(box, front)
  -- What all others together fill. It is compared in both measures: one sender may have half of the bytes, another half of
  -- the entries.
  local rest = math.max((box.unread - of.unread) / box.limit, (box.bytes - of.bytes) / box.maxBytes)
  if of.isFriend == isPaidByFriend and fullness(box, of) >= rest then return front end
  local name = fullest(box, isPaidByFriend)
  if name or not isFriend then return name end
  return fullest(box, not isPaidByFriend)
end

-- At most 100 entries per call, so that a lowered limit never blocks Redis. A tombstone that reaches the front is
-- dropped at once: missing entries there form one gap.
local function makeRoom(box, size, isFriend)
  for done = 0, 99 do
    local long = isLong(box, isFriend)
    local isNeeded = long or isFull(box, size)
    if not isNeeded and (done == 0 or box.evicted == 0) then return end
    local record = atFront(box)
    if not isNeeded and record ~= '!' then return end
    if long or not isUnread(record) then
      drop(box, record)
    else
      local name = payer(box, isFriend, record)
      if name then evict(box, name, record)
      elseif isFriend then drop(box, record)
      else return end
    end
  end
end
