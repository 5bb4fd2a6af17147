-- use: depart
-- Record that an account's last stream on a node has ended.
-- KEYS  1 online shard  2 nodes of the shard: node id → changes that it made here
-- ARGV  1 username  2 node id  3 channel  4 shard  5 changes of the node that it knows of
-- Replies {'offline' (on every node) | 'unchanged', changes, accounts in the shard} | {'unknown', 0, 0}: the node is being
-- evicted, or this shard lost its latest changes
local changes = tonumber(redis.call('HGET', KEYS[2], ARGV[2]) or -1)
if changes < tonumber(ARGV[5]) then return { 'unknown', 0, 0 } end
local isChanged, isOffline = depart(KEYS[1], ARGV[1], { [ARGV[2]] = true })
if isChanged then changes = redis.call('HINCRBY', KEYS[2], ARGV[2], 1) end
if not isOffline then return { 'unchanged', changes, 0 } end
local size = redis.call('HLEN', KEYS[1])
redis.call('SPUBLISH', ARGV[3], '- ' .. ARGV[4] .. ' ' .. size .. ' ' .. ARGV[1])
return { 'offline', changes, size }
