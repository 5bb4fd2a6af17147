-- use: depart
-- Take dead nodes off one shard of presence. A node that goes on after all learns it from its next beat, also when the
-- node that sweeps dies in between: it is marked with 0.
-- KEYS  1 online shard  2 nodes
-- ARGV  1 channel  2… dead node ids
-- Replies {usernames that went offline}
local gone, went = {}, {}
for i = 2, #ARGV do
  gone[ARGV[i]] = true
  if redis.call('HEXISTS', KEYS[2], ARGV[i]) == 1 then redis.call('HSET', KEYS[2], ARGV[i], 0) end
end
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  if depart(KEYS[1], all[i], all[i + 1], gone, ARGV[1]) then went[#went + 1] = all[i] end
end
return went
