-- use: revoke
-- Swap a session's refresh token for the next one. Each token serves once: a second use means that two parties
-- hold it, and nobody can tell which is the owner, so the session ends (RFC 9700, section 4.14.2).
-- KEYS  1 session  2 revoked
-- ARGV  1 hash presented  2 hash of the next  3 lastUsedAt  4 ms to live  5 channel  6 sid  7 dead at (epoch ms)
-- Replies 'refreshed' | 'reused' | 'unknown'
local current = redis.call('HGET', KEYS[1], 'refreshHash')
if not current then return 'unknown' end
if current ~= ARGV[1] then
  revoke(KEYS[1], KEYS[2], ARGV[5], ARGV[6], ARGV[7])
  return 'reused'
end
redis.call('HSET', KEYS[1], 'refreshHash', ARGV[2], 'lastUsedAt', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 'refreshed'
