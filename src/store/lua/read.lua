-- Read a part of a log together with its meta, in one moment.
-- KEYS  1 list  2 meta
-- ARGV  1 after: seq or ''   2 before: seq or ''   3 count
--       After a seq the oldest `count` entries, without one the newest; always oldest first.
-- Replies {meta as field, value, …; seq of the first entry given; entries}
local m = redis.call('HMGET', KEYS[2], 'first', 'last')
local first, last = tonumber(m[1] or 1), tonumber(m[2] or 0)
local low, high, count = first, last, tonumber(ARGV[3])
if ARGV[2] ~= '' then high = math.min(last, tonumber(ARGV[2]) - 1) end
if ARGV[1] ~= '' then
  low = math.max(first, tonumber(ARGV[1]) + 1)
  high = math.min(high, low + count - 1)
else
  low = math.max(first, high - count + 1)
end
local entries = {}
if count > 0 and low <= high then entries = redis.call('LRANGE', KEYS[1], low - first, high - first) end
return { redis.call('HGETALL', KEYS[2]), low, entries }
