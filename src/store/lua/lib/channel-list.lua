-- channel-list: moves a channel to the front of the account's list of channels, or adds it there. One that is in front is
-- left unchanged: its place is newer than all others.
local function promote(box, channel, now)
  if box.newest == channel then return end
  local record = recordOf(box, channel)
  if record.newer ~= '-' then
    local newer = recordOf(box, record.newer)
    newer.older, newer.hasChanged = record.older, true
  end
  if record.older ~= '-' then
    local older = recordOf(box, record.older)
    older.newer, older.hasChanged = record.newer, true
  end
  record.at, record.newer, record.older, record.hasChanged, record.isNew = now, '-', box.newest, true, false
  if box.newest ~= '-' then
    local front = recordOf(box, box.newest)
    record.at = math.max(now, front.at + 1)
    front.newer, front.hasChanged = channel, true
  end
  box.newest = channel
end
