-- claim: reserve a skeleton for a username; answers nothing, or who else has it. One that was reserved for an account that never came
-- to be is free: the caller says which account it looked at, since only it knows the key.
local function claim(skeleton, username, presumed, account)
  local holder = redis.call('HGET', skeleton, 'username')
  if holder and holder ~= username then
    if holder ~= presumed or redis.call('EXISTS', account) == 1 then return holder end
  end
  redis.call('HSET', skeleton, 'username', username)
end
