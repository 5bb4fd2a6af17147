-- send-limit: a fixed window counter of sends in a hash (n, endsAt), by Redis' own clock. max '0' = off.
-- Known limit: a caller may send twice `max` across the boundary of two windows.

-- Returns the milliseconds to wait, or 0; and the end of the current window, for charge().
local function limited(key, max, now)
  if max == '0' then return 0 end
  local state = redis.call('HMGET', key, 'n', 'endsAt')
  local endsAt = tonumber(state[2] or 0)
  if now < endsAt and tonumber(state[1]) >= tonumber(max) then return endsAt - now end
  return 0, endsAt
end

-- Count one send.
local function charge(key, max, windowMs, now, endsAt)
  if max == '0' then return end
  if now < endsAt then
    redis.call('HINCRBY', key, 'n', 1)
  else
    redis.call('HSET', key, 'n', 1, 'endsAt', now + tonumber(windowMs))
    redis.call('PEXPIRE', key, windowMs)
  end
end
