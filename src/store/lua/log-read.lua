-- use: entry log inbox slice check
-- Read a part of a log and its state atomically.
-- KEYS  1 list  2 hash  3 heavy, for an inbox
-- ARGV  1 after: seq or ''   2 before: seq or ''   3 count   4 bytes   5 minimum number of entries, whatever their size
--       6 epoch for a log that has lost entries
--       After a seq the oldest `count` entries, without one the newest; always oldest first. Stops at the count or the byte
--       limit, whichever comes first.
-- Replies {state: epoch, mark, first, last, … | nothing; seq of the first entry; entries}
local packed = redis.call('HGET', KEYS[2], '#')
if packed and KEYS[3] then
  local box = inbox(1, '', '-', 1, 1)
  checkInbox(box, ARGV[6])
  packed = packState(box)
elseif packed then
  packed = checkLog(KEYS[1], KEYS[2], packed, ARGV[6])
end
local state = packed and { cmsgpack.unpack(packed) } or {}
local first, last = state[3] or 1, state[4] or 0
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
return { state, low, entries }
