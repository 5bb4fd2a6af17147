-- Delete an ended session whose access tokens are rejected: the last step, see lib/end-session.lua.
-- KEYS  1 session  2 sessions of the account
-- ARGV  1 sid
-- Replies 'forgotten'
redis.call('DEL', KEYS[1])
redis.call('HDEL', KEYS[2], ARGV[1])
return 'forgotten'
