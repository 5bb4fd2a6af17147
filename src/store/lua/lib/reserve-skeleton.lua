-- reserve-skeleton: reserve a skeleton for a username. Returns nil, or the current holder. A reservation whose account was never
-- created is free: the caller passes the key of the account, because scripts build no keys.
local function reserve(skeleton, username, presumed, account)
  local holder = redis.call('HGET', skeleton, 'username')
  if holder and holder ~= username then
    if holder ~= presumed or redis.call('EXISTS', account) == 1 then return holder end
  end
  redis.call('HSET', skeleton, 'username', username)
end
