-- use: clock revoke
-- Swap a session's refresh token for the next one. Each token serves once: a second use means that two parties
-- hold it, and nobody can tell which is the owner, so the session ends (RFC 9700, section 4.14.2).
-- One exception, for answers that got lost: the token that was used last may be used again for a while, as long as
-- none of those that were given for it was used. Each repeat gets a token of its own; the one that is used first
-- makes the others worthless, so two parties who both went on are found out (decision 015).
-- KEYS  1 session  2 revoked
-- ARGV  1 hash presented  2 hash of the next  3 lastUsedAt  4 ms to live  5 channel  6 sid  7 dead at (epoch ms)
--       8 grace (ms)  9 how many that were given for one token are good
-- Replies 'refreshed' | 'reused' | 'unknown'
local good, used, usedAtMs = unpack(redis.call('HMGET', KEYS[1], 'refreshHash', 'usedHash', 'refreshedAtMs'))
if not good then return 'unknown' end
local nowMs = clock()
local given = {ARGV[2]} -- newest first
if string.find(' ' .. good .. ' ', ' ' .. ARGV[1] .. ' ', 1, true) then
  redis.call('HSET', KEYS[1], 'usedHash', ARGV[1], 'refreshedAtMs', nowMs)
elseif ARGV[1] == used and nowMs - tonumber(usedAtMs) <= tonumber(ARGV[8]) then
  for hash in string.gmatch(good, '%S+') do
    if #given < tonumber(ARGV[9]) then given[#given + 1] = hash end
  end
else
  revoke(KEYS[1], KEYS[2], ARGV[5], ARGV[6], ARGV[7])
  return 'reused'
end
redis.call('HSET', KEYS[1], 'refreshHash', table.concat(given, ' '), 'lastUsedAt', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 'refreshed'
