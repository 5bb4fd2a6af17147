-- send-limit: a fixed window counter of sends in a hash (n, endsAt), by Redis' own clock.
-- take() counts one and returns 0, or returns the milliseconds until the window ends and counts nothing.
-- max 0 = off. Known limit: a caller may send twice `max` across the boundary of two windows.
local function take(key, max, windowMs, now)
  if max == '0' then return 0 end
  max, windowMs = tonumber(max), tonumber(windowMs)
  local state = redis.call('HMGET', key, 'n', 'endsAt')
  local endsAt = tonumber(state[2] or 0)
  if now >= endsAt then
    redis.call('HSET', key, 'n', 1, 'endsAt', now + windowMs)
    redis.call('PEXPIRE', key, windowMs)
  elseif tonumber(state[1]) >= max then
    return endsAt - now
  else
    redis.call('HINCRBY', key, 'n', 1)
  end
  return 0
end
