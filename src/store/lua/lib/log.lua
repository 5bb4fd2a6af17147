-- log: an append-only list with its state. Entry `seq` stands at index seq - first. The state is one field, '#', of a hash
-- and begins with epoch, mark, first, last in every kind of log:
--   epoch   one life of the log, generated with its first entry
--   mark    of the newest entry, '-' if there is none
-- The hash of a channel's log also maps the digest of each idempotency key to its seq; its state continues with
--   bytes   of all entries        count   messages ever appended

-- Returns the log. storedAt: the seq under an idempotency key, if it is still there.
local function open(list, hash, key, newEpoch)
  local m = redis.call('HMGET', hash, '#', key)
  local log = { list = list, hash = hash, epoch = newEpoch, mark = '-', first = 1, last = 0, bytes = 0, count = 0 }
  if m[1] then
    log.epoch, log.mark, log.first, log.last, log.bytes, log.count = cmsgpack.unpack(m[1])
    local seq = tonumber(m[2])
    if seq and seq >= log.first then log.storedAt = seq end
  end
  return log
end

-- Returns the entry that was stored under an idempotency key. Redis may have lost it, and another entry may have taken its place.
local function recall(log, key)
  local entry = log.storedAt and redis.call('LINDEX', log.list, log.storedAt - log.first)
  if entry and select(6, string.match(entry, ENTRY)) == key then return entry end
end

-- A log whose list and state disagree lost a part of either: a new epoch tells every reader. `length` entries are left; they no
-- longer count as bytes.
local function heal(log, length, newEpoch)
  log.epoch, log.last, log.bytes = newEpoch, math.max(log.last, length), 0
  log.first = log.last - length + 1
end

-- The notification names the previous entry by its mark, so a receiver can check that the entry continues its log.
local function notify(channel, log, before, entry)
  redis.call('SPUBLISH', channel, 'entry ' .. log.epoch .. ' ' .. int(log.last) .. ' ' .. before .. ' ' .. entry)
end

-- Drop the oldest entries: `due` of them, and those over the limits, but never the newest, and at most 100 per call so
-- that a lowered limit never blocks Redis. forget(from, bytes) subtracts an entry from other counters.
local function trim(log, limit, maxBytes, due, forget)
  local list, hash, start = log.list, log.hash, log.first
  while log.first < log.last and log.first < start + 100 do
    local isOver = log.last - log.first >= limit or log.bytes > maxBytes
    if not isOver and log.first >= start + due then return end
    local entry = redis.call('LPOP', list)
    local _, _, _, _, _, key, from = string.match(entry, ENTRY)
    if key ~= '-' then redis.call('HDEL', hash, key) end
    log.bytes = math.max(0, log.bytes - #entry)
    if forget then forget(from, #entry) end
    log.first = log.first + 1
  end
end
