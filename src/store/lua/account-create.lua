-- Create an account unless the username is taken. Its skeleton has been reserved.
-- KEYS  1 account
-- ARGV  1… field, value, …
-- Replies 'created' | 'taken'
if redis.call('EXISTS', KEYS[1]) == 1 then return 'taken' end
redis.call('HSET', KEYS[1], unpack(ARGV))
return 'created'
