-- Reject the access tokens of an ended session on every node until the last one expires. May be repeated. Field '#' counts
-- changes, so that a node can cheaply check whether its copy of the hash is complete.
-- KEYS  1 revoked
-- ARGV  1 channel  2 sid  3 epoch ms at which its last access token expires
-- Replies 'revoked' | 'known'
-- A write without effect: once a script has written, Redis lets it go on when memory is full, and a logout must succeed.
redis.call('HDEL', KEYS[1], '')
if redis.call('HSETNX', KEYS[1], ARGV[2], ARGV[3]) == 0 then return 'known' end
redis.call('HINCRBY', KEYS[1], '#', 1)
redis.call('SPUBLISH', ARGV[1], ARGV[2] .. ' ' .. ARGV[3])
return 'revoked'
