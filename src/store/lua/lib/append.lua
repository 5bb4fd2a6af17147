-- append: add one message to the end of a log that detects repeats by idempotency key (broadcasts, a conversation).
-- kept: {entries, bytes}; due, forget: see trim. Publishes a notification if a channel is given. Returns the message
-- and the stored entry.
local function append(log, channel, kept, key, origin, id, head, due, forget)
  local list, meta, keys = log.list, log.meta, log.keys
  local before, first = log.mark, log.first
  log.last, log.mark = log.last + 1, mark(id)
  local seq = int(log.last)
  local message = head .. ',"seq":' .. seq .. '}'
  local entry = origin .. ' ' .. key .. ' ' .. message
  redis.call('RPUSH', list, entry)
  if key ~= '-' then redis.call('HSET', keys, key, seq) end
  log.bytes = log.bytes + #entry
  trim(log, tonumber(kept[1]), tonumber(kept[2]), due, forget)
  if log.isNew or log.first ~= first then
    redis.call('HSET', meta, 'epoch', log.epoch, 'first', int(log.first), 'last', seq, 'mark', log.mark, 'bytes',
      int(log.bytes))
  else
    redis.call('HSET', meta, 'last', seq, 'mark', log.mark, 'bytes', int(log.bytes))
  end
  if log.sized > 1 then redis.call('HSET', meta, 'sized', log.sized) end
  if channel then wake(channel, log.epoch, seq, before, entry) end
  return message, entry
end
