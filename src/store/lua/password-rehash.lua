-- Replace a password hash with another hash of the same password, unless it was changed meanwhile.
-- KEYS  1 account
-- ARGV  1 hash that was checked  2 new hash  3 how the password was prepared for it
-- Replies 'set' | 'changed'
if redis.call('HGET', KEYS[1], 'passwordHash') ~= ARGV[1] then return 'changed' end
redis.call('HSET', KEYS[1], 'passwordHash', ARGV[2], 'passwordForm', ARGV[3])
return 'set'
