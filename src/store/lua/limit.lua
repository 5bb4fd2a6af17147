-- use: clock limit
-- Count one attempt against a limit, or take one back.
-- KEYS  1 limit
-- ARGV  1 'take' | 'give back'  2 allowed  3 in how many ms
-- Replies ms to wait, 0 = go ahead
if ARGV[1] == 'take' then return take(KEYS[1], tonumber(ARGV[2]), tonumber(ARGV[3]), clock()) end
if tonumber(redis.call('HGET', KEYS[1], 'n') or 0) > 0 then redis.call('HINCRBY', KEYS[1], 'n', -1) end
return 0
