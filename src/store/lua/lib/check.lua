-- check: whether the list and the state of a log still belong together: as many entries as the state says, and the newest one
-- with its mark. If not, Redis has lost a part of either.

-- Returns nil if they agree; otherwise the number of entries, and the mark and seq of the newest one. at: which capture of
-- `pattern` is the id of an entry.
local function loss(list, expected, first, last, pattern, at)
  local length = redis.call('LLEN', list)
  local newest = length > 0 and redis.call('LINDEX', list, -1) or ''
  local id, seq = select(at, string.match(newest, pattern))
  local found = id and mark(id) or '-'
  if length ~= last - first + 1 or (length > 0 and found ~= expected) then return length, found, seq end
end

-- Start a new epoch for an inbox that has lost data. Its remaining entries count as acknowledged.
local function recover(box, length, newEpoch)
  local heavy = box.heavy
  heal(box, length, newEpoch)
  redis.call('DEL', heavy)
  box.acked, box.read, box.unread, box.strangers, box.strangerBytes, box.evicted = box.last, box.received, 0, 0, 0, 0
  for _, record in pairs(box.records) do record.unread, record.bytes, record.isHeavy = 0, 0, false end
end

-- Check an inbox when it is read.
local function checkInbox(box, newEpoch)
  if not box.isKnown then return end
  local length, found = loss(box.list, box.mark, box.first, box.last, LINE, 4)
  if not length then return end
  recover(box, length, newEpoch)
  box.mark = found
  save(box)
end

-- Check a channel's log when it is read. `packed`: its state. Returns the state, repaired if necessary.
local function checkLog(list, hash, packed, newEpoch)
  local log = {}
  log.epoch, log.mark, log.first, log.last, log.bytes, log.count = cmsgpack.unpack(packed)
  local length, found, newest = loss(list, log.mark, log.first, log.last, ENTRY, 2)
  if not length then return packed end
  if newest then log.last = tonumber(newest) end
  heal(log, length, newEpoch)
  packed = cmsgpack.pack(log.epoch, found, log.first, log.last, log.bytes, log.count)
  redis.call('HSET', hash, '#', packed)
  return packed
end
