-- deliver: append one direct message to an account's inbox, and notify the nodes that stream it. name: the other
-- account; own: this account is the sender. Own copies (sent from another session of the account) are not unread; if
-- nothing is unread or evicted, they are acknowledged at once.
local function deliver(box, conversations, channel, newEpoch, own, origin, id, name, message, now)
  local first, isNew = box.first, not box.epoch
  local list, ids = box.list, box.ids
  if isNew then
    local senders, mail, heavy = box.senders, box.mail, box.heavy
    box.epoch, box.waiting = newEpoch, {}
    redis.call('DEL', senders, mail, heavy) -- left over from a log that Redis has lost
  end
  local seq, before = box.last + 1, box.mark
  local at = int(seq)
  local entry = (own and origin or '-') .. ' ' .. int(own and box.received or box.received + 1) .. ' ' .. message
  if own then befriend(box, name) end -- first: a recipient of own messages is not treated as a stranger
  local of = not own and waiting(box, name)
  makeRoom(box, #entry, own or of.isFriend)
  redis.call('RPUSH', list, entry)
  redis.call('HSET', ids, id, at)
  promote(conversations, name, now)
  box.bytes = box.bytes + #entry
  if own then
    if box.unread == 0 and box.dropped <= box.read and box.evictedAt <= box.acked then
      box.acked, box.read = seq, box.received
    end
  else
    box.received = box.received + 1
    receive(box, seq, at, #entry, name, of)
  end
  box.last, box.mark = seq, mark(id)
  save(box, at, isNew or box.first ~= first)
  wake(channel, box.epoch, at, before, entry)
end
