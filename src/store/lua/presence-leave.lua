-- use: depart
-- Record that an account's last stream on a node has ended.
-- KEYS  1 online shard
-- ARGV  1 username  2 node id  3 channel
-- Replies 'offline' (on every node) | 'unchanged'
local value = redis.call('HGET', KEYS[1], ARGV[1])
if value and depart(KEYS[1], ARGV[1], value, { [ARGV[2]] = true }, ARGV[3]) then return 'offline' end
return 'unchanged'
