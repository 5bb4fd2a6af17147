-- Set one field of an existing hash; never create the hash.
-- KEYS  1 hash
-- ARGV  1 field  2 value
-- Replies 'set' | 'unknown'
if redis.call('EXISTS', KEYS[1]) == 0 then return 'unknown' end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 'set'
