-- use: reserve-skeleton
-- Reserve the skeleton of an account that is older than skeletons or than the current rules, and mark it as processed.
-- KEYS  1 account  2 skeleton  3 account of the presumed holder of the skeleton
-- ARGV  1 username  2 presumed holder or ''  3 the skeleton, as stored in the account
-- Replies {'claimed'} | {'unknown'} | {'alike', holder}: of two old accounts that look the same the first keeps it
if redis.call('EXISTS', KEYS[1]) == 0 then return { 'unknown' } end
local holder = reserve(KEYS[2], ARGV[1], ARGV[2], KEYS[3])
if holder and holder ~= ARGV[2] then return { 'alike', holder } end
redis.call('HSET', KEYS[1], 'skeleton', ARGV[3])
return holder and { 'alike', holder } or { 'claimed' }
