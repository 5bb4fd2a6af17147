-- deliver: append the newest entry of a channel to an inbox that has room for it. Own copies (sent from another session of
-- the account) are not unread; if nothing is unread or evicted, they are acknowledged at once. A record remembers up to where
-- the inbox has the channel's entries. An entry that is already there is not delivered again; one that does not continue it
-- means that a log has lost entries, and a new epoch tells the inbox's readers.
-- before: mark of the entry before it; ms: time of its id; entry: as in the channel's log, without its key, and for the recipient without its origin.
-- Returns what notify() needs, or nil if the inbox has it already: the mark of the inbox' entry before it, and the line.
local function deliver(box, channel, newEpoch, log, before, id, ms, entry, isOwn, now)
  local list, heavy, record = box.list, box.heavy, recordOf(box, channel)
  local idMark = mark(id)
  if record.seq == log.last and record.mark == idMark then return nil end
  if not box.isKnown then
    box.epoch, box.isKnown = newEpoch, true
    redis.call('UNLINK', list, heavy) -- left over from an inbox whose hash Redis has lost; no counter includes them
  elseif record.seq > 0 and (record.seq ~= log.last - 1 or record.mark ~= before) then
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
  record.seq, record.mark, record.hasChanged = log.last, idMark, true
  if isOwn then
    if box.unread == 0 and box.dropped <= box.read and box.evictedAt <= box.acked then
      box.acked, box.read = box.last, box.received
    end
  else
    if record.unread == 0 then record.from = box.last end
    record.last = box.last
    count(box, record, 1, #line)
  end
  return boxBefore, line
end
