-- Reserve a skeleton for a username, unless another one holds it. A reservation is free if its account does not exist and
-- cannot be about to be created any more.
-- KEYS  1 skeleton
-- ARGV  1 username  2 a username that has no account, or ''  3 now (epoch ms)  4 ms within which an account is created
-- Replies {'reserved'} | {'alike', holder}
local holder, reservedAt = unpack(redis.call('HMGET', KEYS[1], 'username', 'reservedAt'))
if holder and holder ~= ARGV[1] then
  local isOld = tonumber(ARGV[3]) - tonumber(reservedAt or 0) > tonumber(ARGV[4])
  if holder ~= ARGV[2] or not isOld then return { 'alike', holder } end
end
redis.call('HSET', KEYS[1], 'username', ARGV[1], 'reservedAt', ARGV[3])
return { 'reserved' }
