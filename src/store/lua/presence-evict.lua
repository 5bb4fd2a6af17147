-- use: depart
-- Remove dead nodes from some accounts of one presence shard. Publishes those that went offline in one message.
-- KEYS  1 online shard
-- ARGV  1 channel  2 shard  3 how many dead nodes  4… their ids, then the usernames
-- Replies how many accounts went offline
local first = 4 + tonumber(ARGV[3])
local dead, offline = {}, {}
for i = 4, first - 1 do dead[ARGV[i]] = true end
for i = first, #ARGV do
  local _, isOffline = depart(KEYS[1], ARGV[i], dead)
  if isOffline then offline[#offline + 1] = ARGV[i] end
end
if #offline > 0 then
  local size = redis.call('HLEN', KEYS[1])
  redis.call('SPUBLISH', ARGV[1], '- ' .. ARGV[2] .. ' ' .. size .. ' ' .. table.concat(offline, ' '))
end
return #offline
