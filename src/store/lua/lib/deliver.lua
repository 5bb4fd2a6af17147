-- deliver: one direct message at the end of an account's inbox, with the wake-up for the nodes that stream it.
-- Own copies (sent from another session of the account) do not wait; with nothing waiting they are acknowledged at once.

-- Drops the oldest entry.
local function drop(box)
  local list, ids, mail = box.list, box.ids, box.mail
  local entry = redis.call('LPOP', list)
  local _, note, id = string.match(entry, ENTRY)
  local seq = box.first
  box.first, box.bytes, box.dropped = seq + 1, box.bytes - #entry, tonumber(note)
  redis.call('HDEL', ids, id)
  local record = seq > box.acked and redis.call('HGET', mail, seq)
  if not record then return end
  local size, next, name = string.match(record, '^(%d+) (%d+) (.+)$')
  local of = waiting(box, name)
  release(box, of, tonumber(size), tonumber(next))
  keep(box, name, of)
  redis.call('HDEL', mail, seq)
end

-- name: of the other one; own: this account is the sender.
local function deliver(box, conversations, channel, limit, newEpoch, own, origin, id, name, message, now)
  local list, meta, ids, senders, mail = box.list, box.meta, box.ids, box.senders, box.mail
  local seq = box.last + 1
  if not box.epoch then
    box.epoch = newEpoch
    redis.call('DEL', senders, mail) -- of a log that Redis has lost
  end
  if not own then box.received = box.received + 1 end
  local entry = (own and origin or '-') .. ' ' .. box.received .. ' ' .. message
  redis.call('RPUSH', list, entry)
  redis.call('HSET', ids, id, seq)
  promote(conversations, name, now)
  if not own then
    receive(box, seq, #entry, name, waiting(box, name))
  else
    befriend(box, name)
    if box.unread == 0 then box.acked, box.read = seq, box.received end
  end
  box.bytes = box.bytes + #entry
  -- At most 100 a call, so that a lowered limit never blocks Redis.
  for _ = box.first, math.min(seq - limit, box.first + 99) do drop(box) end
  local before = box.mark
  box.last, box.mark = seq, mark(id)
  save(box)
  wake(channel, box.epoch, seq, before, entry)
end
