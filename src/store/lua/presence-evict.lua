-- use: depart
-- Remove dead nodes from one presence shard. A node that was only suspended learns this from its next heartbeat, even
-- if the evicting node dies in between: the dead node is marked with 0.
-- KEYS  1 online shard  2 nodes
-- ARGV  1 channel  2… dead node ids
-- Replies {usernames that went offline}
local evicted, offline = {}, {}
for i = 2, #ARGV do
  evicted[ARGV[i]] = true
  if redis.call('HEXISTS', KEYS[2], ARGV[i]) == 1 then redis.call('HSET', KEYS[2], ARGV[i], 0) end
end
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  if depart(KEYS[1], all[i], all[i + 1], evicted, ARGV[1]) then offline[#offline + 1] = all[i] end
end
return offline
