-- deliver: append the newest entry of a channel to an inbox that has room for it. Own copies (sent from another session of
-- the account) are not unread; if nothing is unread or evicted, they are acknowledged at once. A node remembers up to where
-- the inbox has the channel's entries. An entry that is already there is not delivered again; one that does not continue it
-- means that a log has lost entries, and a new epoch tells the inbox's readers.
-- before: mark of the entry before it; ms: time of its id; entry: as in the channel's log.
-- Returns what notify() needs, or nil if the inbox has it already: the mark of the inbox' entry before it, and the line.
local function deliver(box, channel, newEpoch, log, before, id, ms, entry, isOwn, now)
  local list, heavy, node = box.list, box.heavy, nodeOf(box, channel)
  local idMark = mark(id)
  if node.seq == log.last and node.mark == idMark then return nil end
  if not box.isKnown then
    box.epoch, box.isKnown = newEpoch, true
    redis.call('UNLINK', list, heavy) -- left over from an inbox whose hash Redis has lost; no counter includes them
  elseif node.seq > 0 and (node.seq ~= log.last - 1 or node.mark ~= before) then
    box.epoch = newEpoch
  end
  if not isOwn then box.received = box.received + 1 end
  local boxBefore = box.mark
  local line = channel .. ' ' .. int(box.received) .. ' ' .. entry
  box.last, box.mark = box.last + 1, idMark
  local length = redis.call('RPUSH', list, line)
  if length ~= box.last - box.first + 1 then
    recover(box, length, newEpoch)
    boxBefore, box.acked = '-', box.last - 1
    if not isOwn then box.read = box.received - 1 end
  end
  box.bytes = box.bytes + #line
  if ms < box.newestMs then box.skewMs = math.max(box.skewMs, box.newestMs - ms) else box.newestMs = ms end
  promote(box, channel, now)
  node.seq, node.mark, node.hasChanged = log.last, idMark, true
  if isOwn then
    befriend(box, node)
    if box.unread == 0 and box.dropped <= box.read and box.evictedAt <= box.acked then
      box.acked, box.read = box.last, box.received
    end
  else
    if node.unread == 0 then node.from = box.last end
    node.last = box.last
    count(box, node, 1, #line)
  end
  return boxBefore, line
end
