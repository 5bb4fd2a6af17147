-- deliver: one direct message at the end of an account's inbox, with the wake-up for the nodes that stream it.
-- The note of an inbox entry is the number of messages received up to it; own copies (sent from another session
-- of the account) do not count. So unread = received - max(read, dropped) at any time, and nothing can drift:
--   received  messages of others, ever       acked    position up to which all is acknowledged
--   read      `received` at acked            dropped  `received` at the newest entry that was trimmed
local function unread(meta)
  local m = redis.call('HMGET', meta, 'received', 'read', 'dropped')
  return tonumber(m[1] or 0) - math.max(tonumber(m[2] or 0), tonumber(m[3] or 0))
end

-- inbox: the four keys of it (list, meta, ids, conversations); own: this account is the sender.
local function deliver(inbox, channel, limit, newEpoch, own, origin, id, other, message, now)
  local list, meta, ids, conversations = inbox[1], inbox[2], inbox[3], inbox[4]
  local epoch, first, last, before = open(meta, newEpoch)
  local m = redis.call('HMGET', meta, 'received', 'read', 'dropped', 'acked')
  local received, read, dropped, acked =
    tonumber(m[1] or 0), tonumber(m[2] or 0), tonumber(m[3] or 0), tonumber(m[4] or 0)
  local seq = last + 1
  if not own then
    received = received + 1
    origin = '-'
  elseif received == math.max(read, dropped) then
    acked, read = seq, received
  end
  local entry = origin .. ' ' .. received .. ' ' .. message
  redis.call('RPUSH', list, entry)
  redis.call('HSET', ids, id, seq)
  redis.call('HSET', conversations, other, now)
  first = trim(list, first, seq, limit, function(note, old)
    dropped = tonumber(note)
    redis.call('HDEL', ids, old)
  end)
  redis.call('HSET', meta, 'epoch', epoch, 'first', first, 'last', seq, 'mark', mark(id),
    'received', received, 'read', read, 'dropped', dropped, 'acked', acked)
  wake(channel, epoch, seq, before, entry)
end
