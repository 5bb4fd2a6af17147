-- append: one message at the end of a log whose repeats are told by idempotency key (broadcasts, a conversation).
-- Answers the message as stored, and publishes a wake-up where a channel is given.
local function append(list, meta, keys, channel, limit, newEpoch, key, origin, id, head)
  local epoch, first, last, before = open(meta, newEpoch)
  local seq = last + 1
  local message = head .. ',"seq":' .. seq .. '}'
  local entry = origin .. ' ' .. key .. ' ' .. message
  redis.call('RPUSH', list, entry)
  if key ~= '-' then redis.call('HSET', keys, key, seq) end
  first = trim(list, first, seq, limit, function(old) if old ~= '-' then redis.call('HDEL', keys, old) end end)
  redis.call('HSET', meta, 'epoch', epoch, 'first', first, 'last', seq, 'mark', mark(id))
  if channel then wake(channel, epoch, seq, before, entry) end
  return message
end

-- The entry that was stored under an idempotency key, or nil. It is there for as long as its message is.
local function recall(list, meta, keys, key)
  local seq = key ~= '-' and redis.call('HGET', keys, key)
  if not seq then return nil end
  return redis.call('LINDEX', list, tonumber(seq) - tonumber(redis.call('HGET', meta, 'first')))
end
