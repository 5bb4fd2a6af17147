-- inbox-eviction: makes room in a full inbox. Entries at its front that are not unread are trimmed. If the front is unread,
-- the oldest entry of one sender is evicted: a tombstone takes its place, so that positions stay arithmetic. A message from
-- a stranger evicts mail from strangers. One from a friend (or an own copy) evicts mail from strangers while they fill more
-- than a quarter of the inbox, otherwise from friends. A stranger's message therefore never evicts mail from a friend.

-- Positions examined per LRANGE.
local CHUNK = 50

-- What stands at the front, and the entry. See standing().
local function front(box)
  local line = redis.call('LINDEX', box.list, 0)
  if not line then return nil end
  return standing(box, box.first, line), line
end

-- The entry is no longer unread.
local function release(box, channel, line) count(box, recordOf(box, channel), -1, -#line) end

-- Drop the oldest entry.
local function drop(box)
  local line = redis.call('LPOP', box.list)
  local kind, channel, received = standing(box, box.first, line)
  if box.first > box.acked then box.dropped = tonumber(received) end
  box.first = box.first + 1
  -- Entries from before a loss are not counted.
  if kind == 'tombstone' then box.evicted = math.max(0, box.evicted - 1) else box.bytes = math.max(0, box.bytes - #line) end
  if kind == 'unread' then release(box, channel, line) end
end

-- The first unread entry at or after `from` for which is(channel) holds: seq, channel, line. Examines no more than is left of
-- the box's budget. If there is none: nil and the position before which there is none.
local function search(box, from, is)
  local list, seq = box.list, math.max(from, box.acked + 1, box.first)
  while seq <= box.last and box.budget > 0 do
    local lines = redis.call('LRANGE', list, seq - box.first, seq - box.first + CHUNK - 1)
    if #lines == 0 then break end
    for _, line in ipairs(lines) do
      local kind, channel = standing(box, seq, line)
      if kind == 'unread' and is(channel) then return seq, channel, line end
      seq, box.budget = seq + 1, box.budget - 1 - #line / 1024
    end
  end
  return nil, seq
end

-- Replace the oldest entry of a channel with a tombstone. Returns false if the budget ended before it was found.
local function evict(box, channel)
  local list, record = box.list, recordOf(box, channel)
  local from = math.max(record.from, record.isFriend and box.friendsFrom or box.strangersFrom)
  local seq, searched, line = search(box, from, function(other) return other == channel end)
  if not seq then
    record.from, record.hasChanged = searched, true
    if box.budget <= 0 then return false end
    count(box, record, -record.unread, -record.bytes) -- Redis has lost its entries
    return true
  end
  if seq == box.first then drop(box) return true end
  local _, received, _, id, at, n = string.match(line, LINE)
  release(box, channel, line)
  record.from = seq + 1
  redis.call('LSET', list, seq - box.first, tombstone(channel, received, id, at, n))
  box.bytes, box.evicted, box.evictedAt = box.bytes - #line, box.evicted + 1, math.max(box.evictedAt, seq)
  return true
end

-- The channel of the friend, or the stranger, that fills most of the inbox: exact above 1/64 of the inbox; otherwise the one
-- with the oldest entry. nil if there is none; false if the budget ended before it was found.
local function fullest(box, isFriend)
  local best, most = nil, 0
  for _, channel in ipairs(redis.call('HKEYS', box.heavy)) do
    local record = recordOf(box, channel)
    local share = fullness(box, record)
    if record.unread > 0 and record.isFriend == isFriend and share > most then best, most = channel, share end
  end
  if best then return best end
  local hint = isFriend and 'friendsFrom' or 'strangersFrom'
  local seq, found = search(box, box[hint], function(other) return recordOf(box, other).isFriend == isFriend end)
  box[hint] = seq or found
  if seq then return found end
  if box.budget <= 0 then return false end
  return nil
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

-- Whether a message of `size` bytes must be rejected: a stranger's, if only mail from friends could make room for it.
local function hasNoRoom(box, size, channel)
  if not isLong(box, false) and not (box.strangers == 0 and isFull(box, size)) then return false end
  return not recordOf(box, channel).isFriend and front(box) == 'unread'
end

-- The channel whose oldest entry is evicted to make room for a message from a friend or a stranger; nil or false as of
-- fullest(). `line` is the unread entry at the front.
local function payer(box, isFriend, line)
  local quarter = math.max(box.strangers / box.limit, box.strangerBytes / box.maxBytes)
  local isPaidByFriend = isFriend and quarter <= 1 / 4
  local channel = string.match(line, '^%S+')
  local record = recordOf(box, channel)
  -- What all others together fill. It is compared in both measures: one sender may have half of the bytes, another half of
  -- the entries.
  local rest = math.max((box.unread - record.unread) / box.limit, (box.bytes - record.bytes) / box.maxBytes)
  if record.isFriend == isPaidByFriend and fullness(box, record) >= rest then return channel end
  local found = fullest(box, isPaidByFriend)
  if found ~= nil or not isFriend then return found end
  return fullest(box, not isPaidByFriend)
end

-- At most 100 entries per call, so that a lowered limit never blocks Redis. A tombstone that reaches the front is
-- dropped at once: missing entries there form one gap. Returns false if more must be examined: then the caller saves the
-- box, and the script runs again.
local function makeRoom(box, size, isFriend)
  for done = 0, 99 do
    local long = isLong(box, isFriend)
    local isNeeded = long or isFull(box, size)
    if not isNeeded and (done == 0 or box.evicted == 0) then return true end
    local kind, line = front(box)
    if not kind or (not isNeeded and kind ~= 'tombstone') then return true end
    if kind ~= 'unread' or (long and isFriend) then
      drop(box)
    elseif long then return true -- only mail from friends could make room for a stranger's
    else
      local channel = payer(box, isFriend, line)
      if channel then
        if not evict(box, channel) then return false end
      elseif channel == false then return false
      elseif isFriend then drop(box)
      else return true end
    end
  end
  return true
end
