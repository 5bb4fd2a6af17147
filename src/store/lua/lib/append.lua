-- append: add one message to the end of a channel's log.
-- kept, keptBytes: limits of the log; rest: as of encode; due, forget: see trim. Returns the stored entry, its place as of
-- encode, and the mark of the entry before it.
local function append(log, kept, keptBytes, origin, key, id, rest, newEpoch, due, forget)
  local list, hash, before = log.list, log.hash, log.mark
  log.last, log.count, log.mark = log.last + 1, log.count + 1, mark(id)
  local place = id .. ' ' .. int(log.last) .. ' ' .. int(log.count)
  local entry = encode(place, origin, key, rest)
  local length = redis.call('RPUSH', list, entry)
  if length ~= log.last - log.first + 1 then
    -- Entries know their positions: this one follows the newest that is left.
    local newest = redis.call('LINDEX', list, -2)
    if newest then
      local _, _, seq = string.match(newest, ENTRY)
      log.last = tonumber(seq) + 1
    end
    heal(log, length, newEpoch)
    log.count, before = math.max(log.count, log.last), '-'
    place = id .. ' ' .. int(log.last) .. ' ' .. int(log.count)
    entry = encode(place, origin, key, rest)
    redis.call('LSET', list, -1, entry)
  end
  log.bytes = log.bytes + #entry
  trim(log, kept, keptBytes, due, forget)
  local state = cmsgpack.pack(log.epoch, log.mark, log.first, log.last, log.bytes, log.count)
  if key ~= '-' then redis.call('HSET', hash, '#', state, key, int(log.last))
  else redis.call('HSET', hash, '#', state) end
  return entry, place, before
end
