-- use: clock
-- Record that an account has a stream on a node. Value of a field: 'since node node …'.
-- KEYS  1 online shard  2 nodes of the shard: node id → changes that it made here
-- ARGV  1 username  2 node id  3 channel  4 shard  5 changes of the node that it knows of
-- Replies {'online' (was offline on every node) | 'unchanged', changes, accounts in the shard} | {'unknown', 0, 0}: the
-- node is being evicted, so nobody would remove this record, or this shard lost its latest changes
local changes = tonumber(redis.call('HGET', KEYS[2], ARGV[2]) or -1)
if changes < tonumber(ARGV[5]) then return { 'unknown', 0, 0 } end
local value = redis.call('HGET', KEYS[1], ARGV[1])
if value and string.find(value .. ' ', ' ' .. ARGV[2] .. ' ', 1, true) then return { 'unchanged', changes, 0 } end
changes = redis.call('HINCRBY', KEYS[2], ARGV[2], 1)
if value then
  redis.call('HSET', KEYS[1], ARGV[1], value .. ' ' .. ARGV[2])
  return { 'unchanged', changes, 0 }
end
local since = clock()
redis.call('HSET', KEYS[1], ARGV[1], since .. ' ' .. ARGV[2])
local size = redis.call('HLEN', KEYS[1])
redis.call('SPUBLISH', ARGV[3], '+ ' .. ARGV[4] .. ' ' .. size .. ' ' .. since .. ' ' .. ARGV[1])
return { 'online', changes, size }
