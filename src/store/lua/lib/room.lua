-- room: what goes when an inbox is full. Entries at its front that nobody waits for are trimmed. Where the front is unread
-- mail, a sender pays with their oldest entry: it becomes a tombstone in its place, so that positions stay arithmetic.
-- A stranger's message is paid by strangers; a friend's (or an own copy) by the strangers while they hold more than a
-- quarter of the inbox, else by the friends. So nobody's mail is pushed out by somebody whom the account never wrote to.

-- The tombstone keeps note and id: cursors that stand on it still match.
local TOMBSTONE = '! %s {"id":"%s"}'

-- So many senders are looked at where none is heavy.
local SAMPLE = 64
-- What an entry is at most longer than the message without its seq.
local ENTRY_BYTES = 64

-- Drops the oldest entry.
local function drop(box)
  local list, ids, mail = box.list, box.ids, box.mail
  local entry = redis.call('LPOP', list)
  local origin, note, id = string.match(entry, ENTRY)
  local seq = box.first
  box.first, box.dropped = seq + 1, tonumber(note)
  if origin == '!' then box.evicted = box.evicted - 1
  else box.bytes = box.bytes - #entry end
  redis.call('HDEL', ids, id)
  local record = seq > box.acked and redis.call('HGET', mail, seq)
  if not record then return end
  local name, of = release(box, record, {})
  if name then keep(box, name, of) end
  redis.call('HDEL', mail, seq)
end

local function evict(box, name)
  local list, mail = box.list, box.mail
  local seq = waiting(box, name).oldest
  local _, note, id = string.match(redis.call('LINDEX', list, seq - box.first), ENTRY)
  local _, of, size = release(box, redis.call('HGET', mail, seq), {})
  keep(box, name, of)
  redis.call('LSET', list, seq - box.first, string.format(TOMBSTONE, note, id))
  redis.call('HSET', mail, seq, '!')
  box.bytes, box.evicted = box.bytes - size, box.evicted + 1
  box.evictedAt = math.max(box.evictedAt, seq)
end

-- Who of a group fills most of the inbox: exactly, if that is more than 1/64 of it; else the fullest of a sample.
local function fullest(box, group)
  local senders, heavy = box.senders, box.heavy
  local best, most
  local function consider(name, value)
    local of = waiting(box, name, value)
    if of.group == group and (not best or fullness(box, of) > most) then best, most = name, fullness(box, of) end
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

-- Tombstones pile up behind a front that nobody acknowledges. For strangers the list ends at twice the limit, for all at
-- three times: what strangers leave behind takes nothing from a friend.
local function isLong(box, group)
  return box.last - box.first + 1 >= (group == 's' and 2 or 3) * box.limit
end

local function atFront(box)
  local mail = box.mail
  return box.first > box.acked and redis.call('HGET', mail, box.first) or ''
end

local function isFrontUnread(box) return #atFront(box) > 1 end

-- Whether a message of `size` bytes must be refused: a stranger's, where only a friend's mail could make room for it.
local function hasNoRoom(box, size, name)
  if not isLong(box, 's') and not (box.strangers == 0 and isFull(box, size)) then return false end
  return waiting(box, name).group == 's' and isFrontUnread(box)
end

-- At most 100 entries go in a call, so that a lowered limit never blocks Redis. Answers whether any did. A tombstone that
-- came to stand at the front goes at once: what is missing there is one gap.
local function makeRoom(box, size, group)
  for done = 0, 99 do
    local long = isLong(box, group)
    local isNeeded = long or isFull(box, size)
    if not isNeeded and (done == 0 or atFront(box) ~= '!') then return done > 0 end
    if long or not isFrontUnread(box) then
      drop(box)
    else
      local quarter = math.max(box.strangers / box.limit, box.strangerBytes / box.maxBytes)
      local name = (group == 's' or quarter > 1 / 4) and fullest(box, 's')
      if not name and group == 's' then return done > 0 end
      name = name or fullest(box, 'f') or fullest(box, 's')
      if name then evict(box, name) else drop(box) end
    end
  end
  return true
end
