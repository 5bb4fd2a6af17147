-- use: clock revoke
-- Exchange a session's refresh token for the next one. Each token works once: a second use means that two parties hold
-- it, and the server cannot tell which one is the owner, so the session ends (RFC 9700, section 4.14.2).
-- One exception, for lost responses: for a while the last used token works again for a client that sends the nonce of
-- its first use. Only the client that made that request knows the nonce (decision 020).
-- KEYS  1 session  2 revoked  3 sessions of the account
-- ARGV  1 hash presented  2 hash of the next  3 lastUsedAt  4 ms to live  5 channel  6 sid  7 expiry of its last access token (epoch ms)
--       8 grace (ms)  9 hash of the nonce, or empty
-- Replies 'refreshed' | 'reused' | 'unknown'
local valid, used, nonce, usedAtMs =
  unpack(redis.call('HMGET', KEYS[1], 'refreshHash', 'usedHash', 'usedNonce', 'refreshedAtMs'))
if not valid then return 'unknown' end
local nowMs = clock()
-- Sessions older than the nonce may have several valid tokens.
if string.find(' ' .. valid .. ' ', ' ' .. ARGV[1] .. ' ', 1, true) then
  redis.call('HSET', KEYS[1], 'usedHash', ARGV[1], 'usedNonce', ARGV[9], 'refreshedAtMs', nowMs)
elseif ARGV[1] ~= used or ARGV[9] == '' or ARGV[9] ~= nonce or nowMs - tonumber(usedAtMs) > tonumber(ARGV[8]) then
  revoke(KEYS[1], KEYS[3], KEYS[2], ARGV[5], ARGV[6], ARGV[7])
  return 'reused'
end
redis.call('HSET', KEYS[1], 'refreshHash', ARGV[2], 'lastUsedAt', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('HSET', KEYS[3], ARGV[6], nowMs)
redis.call('PEXPIRE', KEYS[3], ARGV[4])
return 'refreshed'
