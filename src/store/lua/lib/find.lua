-- find: the position of a message in an inbox by its id, or nil. Ids begin with a time and are in order
-- to within `skewMs`, so a binary search finds the neighbourhood and a scan finds the entry.
local CHUNK = 64

local function find(box, id)
  local list, ms, skewMs = box.list, timeOf(id), box.skewMs
  local low, high = 0, box.last - box.first
  local function idAt(line) return select(4, string.match(line, LINE)) end
  -- Everything before `low` is too old to be it.
  while low < high do
    local middle = math.floor((low + high) / 2)
    local line = redis.call('LINDEX', list, middle)
    if not line then return nil end
    if timeOf(idAt(line)) < ms - skewMs then low = middle + 1 else high = middle end
  end
  while true do
    local lines = redis.call('LRANGE', list, low, low + CHUNK - 1)
    for i, line in ipairs(lines) do
      if string.find(line, id, 1, true) and idAt(line) == id then return box.first + low + i - 1 end
    end
    -- The times of a whole chunk would cost ten times as much as its ids.
    if #lines < CHUNK or timeOf(idAt(lines[1])) > ms + skewMs then return nil end
    low = low + CHUNK
  end
end
