-- Count what an inbox holds unacknowledged, by sender. Derived from the entries, so it cannot drift.
-- KEYS  1 inbox  2 inbox:meta
-- Replies {sender, count, …}
local m = redis.call('HMGET', KEYS[2], 'first', 'acked')
local counts, reply = {}, {}
local index = math.max(0, tonumber(m[2] or 0) + 1 - tonumber(m[1] or 1))
repeat
  local entries = redis.call('LRANGE', KEYS[1], index, index + 499)
  for _, entry in ipairs(entries) do
    local sender = string.match(entry, '^%- %d+ {"id":"[^"]+","kind":"dm","from":"([^"]+)"')
    if sender then counts[sender] = (counts[sender] or 0) + 1 end
  end
  index = index + 500
until #entries < 500
for sender, count in pairs(counts) do
  reply[#reply + 1] = sender
  reply[#reply + 1] = count
end
return reply
