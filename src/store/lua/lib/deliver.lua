-- deliver: one direct message at the end of an account's inbox, with the wake-up for the nodes that stream it.
-- name: of the other one; own: this account is the sender. Own copies (sent from another session of the account) do not
-- wait; where nothing does, and nothing is missing, they are acknowledged at once.
local function deliver(box, conversations, channel, newEpoch, own, origin, id, name, message, now)
  local first, acked, isNew = box.first, box.acked, not box.epoch
  local list, ids, senders, mail, heavy = box.list, box.ids, box.senders, box.mail, box.heavy
  if not box.epoch then
    box.epoch = newEpoch
    redis.call('DEL', senders, mail, heavy) -- of a log that Redis has lost
  end
  local seq = box.last + 1
  local entry = (own and origin or '-') .. ' ' .. int(own and box.received or box.received + 1) .. ' ' .. message
  local of = not own and waiting(box, name)
  if makeRoom(box, #entry, own and 'f' or of.group) then of = not own and waiting(box, name) end
  redis.call('RPUSH', list, entry)
  redis.call('HSET', ids, id, int(seq))
  promote(conversations, name, now)
  box.bytes = box.bytes + #entry
  if own then
    befriend(box, name)
    if box.unread == 0 and box.dropped <= box.read and box.evictedAt <= box.acked then
      box.acked, box.read = seq, box.received
    end
  else
    box.received = box.received + 1
    receive(box, seq, #entry, name, of)
  end
  local before = box.mark
  box.last, box.mark = seq, mark(id)
  save(box, isNew or box.first ~= first or box.acked ~= acked)
  wake(channel, box.epoch, seq, before, entry)
end
