-- use: clock
-- A node's heartbeat. An id that was evicted, or is being evicted (marked with 0), is never used again.
-- KEYS  1 heartbeats
-- ARGV  1 node id  2 1 for the first heartbeat under this id, or 0  3 ms to age this beat by (a node that is leaving)
-- Replies {now (epoch ms), 1 if the beat was recorded | 0 if this id was evicted}
local now = clock()
local before = redis.call('HGET', KEYS[1], ARGV[1])
if before == '0' or (not before and ARGV[2] == '0') then return { now, 0 } end
redis.call('HSET', KEYS[1], ARGV[1], now - tonumber(ARGV[3]))
return { now, 1 }
