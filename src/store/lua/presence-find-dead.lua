-- Find the accounts that dead nodes have announced, in a part of one presence shard.
-- KEYS  1 online shard
-- ARGV  1 cursor of HSCAN  2 how many accounts to look at, about  3… dead node ids
-- Replies {next cursor ('0' at the end), {usernames that are on dead nodes only}, {usernames that are on others too}}
local dead, gone, elsewhere = {}, {}, {}
for i = 3, #ARGV do dead[ARGV[i]] = true end
local part = redis.call('HSCAN', KEYS[1], ARGV[1], 'COUNT', ARGV[2])
local all = part[2]
for i = 1, #all, 2 do
  local isOnDead, isElsewhere = false, false
  for node in string.gmatch(all[i + 1], ' (%S+)') do
    if dead[node] then isOnDead = true else isElsewhere = true end
  end
  if isOnDead and isElsewhere then elsewhere[#elsewhere + 1] = all[i]
  elseif isOnDead then gone[#gone + 1] = all[i] end
end
return { part[1], gone, elsewhere }
