-- use: reserve-skeleton
-- Create an account unless the username is taken, or one that looks the same.
-- KEYS  1 account  2 skeleton  3 account of the presumed holder of the skeleton
-- ARGV  1 username  2 presumed holder or ''  3… field, value, …
-- Replies {'created'} | {'taken'} | {'alike', holder}
if redis.call('EXISTS', KEYS[1]) == 1 then return { 'taken' } end
local holder = reserve(KEYS[2], ARGV[1], ARGV[2], KEYS[3])
if holder then return { 'alike', holder } end
redis.call('HSET', KEYS[1], unpack(ARGV, 3))
return { 'created' }
