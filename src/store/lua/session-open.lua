-- Open a session and add it to those of its account. Returns the sessions over the limit, longest unused first.
-- KEYS  1 session  2 sessions of the account  3 account
-- ARGV  1 sid  2 ms to live  3 how many an account may have  4 now (epoch ms)  5 lastSeenAt  6… field, value, …
-- Replies {'opened', sid …}: sessions to end | {'unknown'}: there is no such account
if redis.call('EXISTS', KEYS[3]) == 0 then return { 'unknown' } end
local now, ttl = tonumber(ARGV[4]), tonumber(ARGV[2])
redis.call('HSET', KEYS[3], 'lastSeenAt', ARGV[5])
redis.call('HSET', KEYS[1], unpack(ARGV, 6))
redis.call('PEXPIRE', KEYS[1], ttl)
redis.call('HSET', KEYS[2], ARGV[1], now)
redis.call('PEXPIRE', KEYS[2], ttl)
local all = redis.call('HGETALL', KEYS[2])
local others = {}
for i = 1, #all, 2 do
  local usedAt = tonumber(all[i + 1])
  if now - usedAt > ttl then redis.call('HDEL', KEYS[2], all[i])
  elseif all[i] ~= ARGV[1] then others[#others + 1] = { all[i], usedAt } end
end
table.sort(others, function(a, b) return a[2] < b[2] or (a[2] == b[2] and a[1] < b[1]) end)
local reply = { 'opened' }
for i = 1, #others + 1 - tonumber(ARGV[3]) do reply[i + 1] = others[i][1] end
return reply
