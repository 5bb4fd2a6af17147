-- channel-list: moves a channel to the front of the account's list of channels, or adds it there. One that is in front is
-- left unchanged: its place is newer than all others.
local function promote(box, channel, now)
  if box.newest == channel then return end
  local node = nodeOf(box, channel)
  if node.newer ~= '-' then
    local newer = nodeOf(box, node.newer)
    newer.older, newer.hasChanged = node.older, true
  end
  if node.older ~= '-' then
    local older = nodeOf(box, node.older)
    older.newer, older.hasChanged = node.newer, true
  end
  node.at, node.newer, node.older, node.hasChanged, node.isNew = now, '-', box.newest, true, false
  if box.newest ~= '-' then
    local front = nodeOf(box, box.newest)
    node.at = math.max(now, front.at + 1)
    front.newer, front.hasChanged = channel, true
  end
  box.newest = channel
end
