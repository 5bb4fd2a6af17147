-- use: conversations
-- Append conversations written by a release without the list to the end of the list.
-- KEYS  1 conversations
-- ARGV  others, newest first; those already in the list keep their place
-- Replies 'linked'
local newest, oldest, linked = ends(redis.call('HGET', KEYS[1], '#'))
for _, other in ipairs(ARGV) do
  local at = string.match(redis.call('HGET', KEYS[1], other) or '', '^%d+$')
  if at then
    at = tonumber(at)
    if oldest == '-' then
      newest = other
    else
      local oldestAt, newer = node(KEYS[1], oldest)
      write(KEYS[1], oldest, oldestAt, newer, other)
      at = math.min(at, oldestAt - 1)
    end
    write(KEYS[1], other, at, oldest, '-')
    oldest, linked = other, linked + 1
  end
end
redis.call('HSET', KEYS[1], '#', newest .. ' ' .. oldest .. ' ' .. linked)
return 'linked'
