-- check: whether the list and the state of a log still belong together: as many entries as the state says, and the newest one
-- with its mark. If not, Redis has lost a part of either.

-- Returns how many entries there are, and the mark and the seq of the newest one, if they do not, otherwise nil. at: the capture of `pattern`
-- that is the id of an entry.
local function loss(list, expected, first, last, pattern, at)
  local length = redis.call('LLEN', list)
  local newest = length > 0 and redis.call('LINDEX', list, -1) or ''
  local id, seq = select(at, string.match(newest, pattern))
  local found = id and mark(id) or '-'
  if length ~= last - first + 1 or (length > 0 and found ~= expected) then return length, found, seq end
end

-- What is left of an inbox counts as acknowledged.
local function recover(box, length, newEpoch)
  local heavy = box.heavy
  heal(box, length, newEpoch)
  redis.call('DEL', heavy)
  box.acked, box.read, box.unread, box.strangers, box.strangerBytes, box.evicted = box.last, box.received, 0, 0, 0, 0
  for _, node in pairs(box.nodes) do node.unread, node.bytes, node.isHeavy = 0, 0, false end
end

-- For an inbox that is read.
local function checkInbox(box, newEpoch)
  if not box.isKnown then return end
  local length, found = loss(box.list, box.mark, box.first, box.last, LINE, 4)
  if not length then return end
  recover(box, length, newEpoch)
  box.mark = found
  save(box)
end

-- For the log of a channel that is read. `packed`: its state. Returns what it is now.
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
