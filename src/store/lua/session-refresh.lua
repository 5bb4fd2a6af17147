-- use: clock end-session
-- Exchange a session's refresh token for the next one. Each token works once: a second use means that two parties hold
-- it, and the server cannot tell which one is the owner, so the session ends (RFC 9700, section 4.14.2).
-- One exception, for lost responses: for a while the last used token works again for a client that sends the nonce of
-- its first use. Only the client that made that request knows the nonce (decision 020).
-- KEYS  1 session  2 sessions of the account
-- ARGV  1 hash presented  2 hash of the next  3 lastUsedAt  4 ms to live  5 sid
--       6 epoch ms at which its last access token expires, should it end  7 ms until then
--       8 grace (ms)  9 hash of the nonce, or empty
-- Replies {'refreshed'} | {'ended', endedUntil}: now, or before and perhaps not on every node | {'unknown'}
local valid, used, nonce, usedAtMs, endedUntil =
  unpack(redis.call('HMGET', KEYS[1], 'refreshHash', 'usedHash', 'usedNonce', 'refreshedAtMs', 'endedUntil'))
if endedUntil then return { 'ended', endedUntil } end
if not valid then return { 'unknown' } end
local nowMs = clock()
-- Sessions older than the nonce may have several valid tokens.
if string.find(' ' .. valid .. ' ', ' ' .. ARGV[1] .. ' ', 1, true) then
  redis.call('HSET', KEYS[1], 'usedHash', ARGV[1], 'usedNonce', ARGV[9], 'refreshedAtMs', nowMs)
elseif ARGV[1] ~= used or ARGV[9] == '' or ARGV[9] ~= nonce or nowMs - tonumber(usedAtMs) > tonumber(ARGV[8]) then
  return { 'ended', endSession(KEYS[1], ARGV[6], ARGV[7]) }
end
redis.call('HSET', KEYS[1], 'refreshHash', ARGV[2], 'lastUsedAt', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('HSET', KEYS[2], ARGV[5], nowMs)
redis.call('PEXPIRE', KEYS[2], ARGV[4])
return { 'refreshed' }
