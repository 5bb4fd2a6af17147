-- use: slice inbox-counters
-- Read a part of a log and its meta atomically. Stops at the count or the byte limit, whichever comes first.
-- KEYS  1 list  2 meta
-- ARGV  1 after: seq or ''   2 before: seq or ''   3 count   4 bytes   5 minimum number of entries, whatever their size
--       After a seq the oldest `count` entries, without one the newest; always oldest first.
-- Replies {meta as field, value, …; seq of the first entry; entries}
local m = redis.call('HMGET', KEYS[2], 'first', 'last')
local first, last = tonumber(m[1] or 1), tonumber(m[2] or 0)
local low, high, count = first, last, tonumber(ARGV[3])
if ARGV[2] ~= '' then high = math.min(last, tonumber(ARGV[2]) - 1) end
if ARGV[1] ~= '' then low = math.max(first, tonumber(ARGV[1]) + 1) end
local entries = {}
if count > 0 and low <= high then
  local from, to, step = low, math.min(high, low + count - 1), 1
  if ARGV[1] == '' then from, to, step = high, math.max(low, high - count + 1), -1 end
  entries = slice(KEYS[1], from - first, to - first, step, tonumber(ARGV[4]), tonumber(ARGV[5]))
  if step < 0 then low = high - #entries + 1 end
end
return { fieldsOf(KEYS[2]), low, entries }
