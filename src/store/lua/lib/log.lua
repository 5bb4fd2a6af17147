-- log: an append-only list and its meta hash (epoch, first, last, mark). Entry `seq` stands at index seq - first.
-- An entry is one string, `origin note json`: the session that sent it or '-'; a word whose meaning
-- depends on the log (idempotency key, or count received); the message exactly as it is sent to clients.
-- `mark` is the end of the newest message's id: it shows whether the message at `seq` is still the same.
local ENTRY = '^(%S+) (%S+) {"id":"([^"]+)"'

-- Format an integer for storage. Lua's default formatting prints 14 or 17 digits as a fraction, and takes several times
-- as long.
local function int(number) return string.format('%d', number) end

local function mark(id) return string.sub(id, -8) end

-- Returns the log as described by its meta; mark is '-' if it has no entry. `bytes` counts the entries from `sized` on:
-- earlier ones were written by a release that did not count bytes.
local function open(list, meta, keys, newEpoch)
  local m = redis.call('HMGET', meta, 'epoch', 'first', 'last', 'mark', 'bytes', 'sized')
  local last = tonumber(m[3] or 0)
  return {
    list = list, meta = meta, keys = keys, epoch = m[1] or newEpoch, isNew = not m[1], first = tonumber(m[2] or 1), last = last,
    mark = m[4] or '-', bytes = tonumber(m[5] or 0), sized = m[5] and tonumber(m[6] or 1) or last + 1,
  }
end

-- The notification names the previous entry by its mark, so a receiver can check that the entry continues its log.
local function wake(channel, epoch, seq, before, entry)
  redis.call('SPUBLISH', channel, 'entry ' .. epoch .. ' ' .. seq .. ' ' .. before .. ' ' .. entry)
end

-- Drop the oldest entries: `due` of them, and those over the limits, but never the newest, and at most 100 per call so
-- that a lowered limit never blocks Redis. forget(entry) subtracts an entry from other counters.
local function trim(log, limit, maxBytes, due, forget)
  local list, keys, start = log.list, log.keys, log.first
  while log.first < log.last and log.first < start + 100 do
    local isOver = log.last - log.first >= limit or log.bytes > maxBytes
    if not isOver and log.first >= start + due then return end
    local entry = redis.call('LPOP', list)
    local _, key = string.match(entry, ENTRY)
    if key ~= '-' then redis.call('HDEL', keys, key) end
    if log.first >= log.sized then
      log.bytes = math.max(0, log.bytes - #entry)
      if forget then forget(entry) end
    end
    log.first = log.first + 1
  end
end
