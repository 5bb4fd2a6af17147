-- bucket: a token bucket in a hash, by Redis' clock: `max` at once, then one every windowMs / max. Its one field,
-- fullAt, is when the bucket is full again (epoch ms). The hash expires then.
local function each(max, windowMs) return math.max(1, math.floor(windowMs / max)) end
local function fullAt(key, now) return math.max(now, tonumber(redis.call('HGET', key, 'fullAt') or 0)) end
local function waitFor(key, max, windowMs, now)
  return math.max(0, fullAt(key, now) + each(max, windowMs) - windowMs - now)
end
local function change(key, byMs, now)
  local at = fullAt(key, now) + byMs
  if at <= now then return redis.call('DEL', key) end
  redis.call('HSET', key, 'fullAt', at)
  redis.call('PEXPIRE', key, at - now)
end
