-- inbox: one account's inbox and everything that is counted for it. A counter changes in the script that changes what it
-- counts. One hash holds all of it, because each command costs more than a few bytes:
--   #        the state, see unpackState
--   channel  a record for each direct channel: see addRecord. The records are also the list of the account's channels, newest first,
--            a linked list: moving one to the front costs the same however many there are
-- and `heavy` names the channels with more than 1/64 of the inbox: at most 128, so that the fullest is found at once.
-- Limits are `limit` entries and `maxBytes`; tombstones count for neither. A sender the account has written to is a friend,
-- any other one is a stranger.
local HEAVY = 1 / 64

-- epoch, mark, first, last  of the log            acked        acknowledged up to this position
-- unread     entries waiting                      read         `received` at acked
-- dropped    `received` at the newest trimmed one evictedAt    seq of the newest tombstone
-- received   messages of others, ever             bytes        of all entries
-- evicted    entries that are tombstones          stored       bytes that channels hold of what the account sent
-- strangers, strangerBytes  of `unread`, what strangers sent
-- strangersFrom, friendsFrom  no unread entry of a stranger, of a friend, stands before this position
-- newestMs, skewMs  the newest time of an id, and how far ids have been behind it: see find
-- newest     front of the list of channels; '-' if it is empty
local function unpackState(packed)
  local epoch, mark, first, last, acked, unread, read, dropped, evictedAt, received, bytes, evicted, stored, strangers,
    strangerBytes, strangersFrom, friendsFrom, newestMs, skewMs, newest
  if packed then
    epoch, mark, first, last, acked, unread, read, dropped, evictedAt, received, bytes, evicted, stored, strangers,
      strangerBytes, strangersFrom, friendsFrom, newestMs, skewMs, newest = cmsgpack.unpack(packed)
  end
  return {
    isKnown = packed, epoch = epoch, mark = mark or '-', first = first or 1, last = last or 0, acked = acked or 0,
    unread = unread or 0, read = read or 0, dropped = dropped or 0, evictedAt = evictedAt or 0, received = received or 0,
    bytes = bytes or 0, evicted = evicted or 0, stored = stored or 0, strangers = strangers or 0,
    strangerBytes = strangerBytes or 0, strangersFrom = strangersFrom or 0, friendsFrom = friendsFrom or 0,
    newestMs = newestMs or 0, skewMs = skewMs or 0, newest = newest or '-',
    records = {}, budget = 2000,
  }
end

local function packState(box)
  return cmsgpack.pack(box.epoch, box.mark, box.first, box.last, box.acked, box.unread, box.read, box.dropped, box.evictedAt,
    box.received, box.bytes, box.evicted, box.stored, box.strangers, box.strangerBytes, box.strangersFrom, box.friendsFrom,
    box.newestMs, box.skewMs, box.newest)
end

-- at           when they last talked (epoch ms), made unique, so it falls along the list
-- newer, older neighbours in the list, '-' = none; `at` is nil if it is not in the list
-- seq, mark    position in the channel's log up to which the inbox has its entries; 0 = not known
-- unread, bytes waiting entries from the other one; they count only while `last` is not acknowledged
-- from, last   positions in the inbox: no waiting one stands before `from`; the newest one
local function addRecord(box, channel, packed)
  local at, newer, older, seq, mark, unread, bytes, from, last, isFriend, isHeavy =
    nil, '-', '-', 0, '-', 0, 0, 0, 0, false, false
  if packed then
    at, newer, older, seq, mark, unread, bytes, from, last, isFriend, isHeavy = cmsgpack.unpack(packed)
    if last <= box.acked then unread, bytes, isHeavy = 0, 0, false end -- acknowledged together with all others
  end
  local record = {
    isNew = not at, at = at, newer = newer, older = older, seq = seq, mark = mark, unread = unread, bytes = bytes,
    from = from, last = last, isFriend = isFriend, isHeavy = isHeavy,
  }
  box.records[channel] = record
  return record
end

local function packRecord(record)
  return cmsgpack.pack(record.at, record.newer, record.older, record.seq, record.mark, record.unread, record.bytes, record.from, record.last,
    record.isFriend, record.isHeavy)
end

-- The record of a channel. Read once; save() writes the changes.
local function recordOf(box, channel)
  return box.records[channel] or addRecord(box, channel, redis.call('HGET', box.hash, channel))
end

-- `at` is the place in KEYS of the list; the hash and heavy follow it. `channel`: its record is needed too.
local function inbox(at, owner, channel, limit, maxBytes)
  local list, hash, heavy = KEYS[at], KEYS[at + 1], KEYS[at + 2]
  local m = redis.call('HMGET', hash, '#', channel)
  local box = unpackState(m[1])
  box.list, box.hash, box.heavy, box.owner, box.limit, box.maxBytes = list, hash, heavy, owner, limit, maxBytes
  addRecord(box, channel, m[2])
  return box
end

-- The share of the inbox that a channel fills, from 0 to 1.
local function fullness(box, record) return math.max(record.unread / box.limit, record.bytes / box.maxBytes) end

local function save(box)
  local hash, heavy = box.hash, box.heavy
  local fields = { '#', packState(box) }
  for channel, record in pairs(box.records) do
    if record.hasChanged then
      local wasHeavy = record.isHeavy
      record.isHeavy = fullness(box, record) >= HEAVY
      fields[#fields + 1] = channel
      fields[#fields + 1] = packRecord(record)
      if record.isHeavy and not wasHeavy then redis.call('HSET', heavy, channel, '')
      elseif wasHeavy and not record.isHeavy then redis.call('HDEL', heavy, channel) end
    end
  end
  redis.call('HSET', hash, unpack(fields))
end

-- Add or remove unread entries of a channel.
local function count(box, record, entries, bytes)
  record.unread, record.bytes, record.hasChanged, box.unread = record.unread + entries, record.bytes + bytes, true, box.unread + entries
  if record.isFriend then return end
  box.strangers, box.strangerBytes = box.strangers + entries, box.strangerBytes + bytes
end

-- The account has written in this channel.
local function befriend(box, record)
  if record.isFriend then return end
  record.isFriend, record.hasChanged = true, true
  if record.unread == 0 then return end
  box.strangers, box.strangerBytes = box.strangers - record.unread, box.strangerBytes - record.bytes
  box.friendsFrom = math.min(box.friendsFrom, record.from)
end

-- The kind of an entry of the inbox: 'read', 'unread', 'own' or 'tombstone'; its channel; its `received`.
local function standing(box, seq, line)
  local channel, received, kind, _, _, _, _, _, from = string.match(line, LINE)
  if kind == 't' then return 'tombstone', channel, received end
  if from == box.owner then return 'own', channel, received end
  return seq > box.acked and 'unread' or 'read', channel, received
end
