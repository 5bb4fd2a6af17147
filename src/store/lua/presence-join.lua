-- use: clock
-- Record that an account has a stream on a node. Value of a field: 'since node node …'.
-- KEYS  1 online shard  2 nodes
-- ARGV  1 username  2 node id  3 channel
-- Replies 'online' (was offline on every node) | 'unchanged' | 'unknown': the node was declared dead, and if it died
-- before its next heartbeat, nobody would evict this record
if redis.call('HEXISTS', KEYS[2], ARGV[2]) == 0 then return 'unknown' end
local value = redis.call('HGET', KEYS[1], ARGV[1])
if not value then
  redis.call('HSET', KEYS[1], ARGV[1], clock() .. ' ' .. ARGV[2])
  redis.call('SPUBLISH', ARGV[3], '+' .. ARGV[1])
  return 'online'
end
if not string.find(value .. ' ', ' ' .. ARGV[2] .. ' ', 1, true) then
  redis.call('HSET', KEYS[1], ARGV[1], value .. ' ' .. ARGV[2])
end
return 'unchanged'
