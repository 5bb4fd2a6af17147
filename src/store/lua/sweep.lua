-- use: depart
-- Take dead nodes off one shard of presence.
-- KEYS  1 online shard
-- ARGV  1 channel  2… dead node ids
-- Replies {usernames that went offline}
local gone, went = {}, {}
for i = 2, #ARGV do gone[ARGV[i]] = true end
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  if depart(KEYS[1], all[i], all[i + 1], gone, ARGV[1]) then went[#went + 1] = all[i] end
end
return went
