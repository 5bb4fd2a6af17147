-- use: conversations
-- A page of an account's conversations, newest first. Takes a bounded number of steps; the caller continues where it
-- stopped.
-- KEYS  1 conversations
-- ARGV  1 count  2 steps  3 only conversations older than this (at), or ''  4 start behind this one
-- Replies {how many are not in the list yet; where it stopped, '-' = before the newest; 1 if there are older ones, else
-- 0;
--                 other, at, …}
local newest, _, linked = ends(redis.call('HGET', KEYS[1], '#'))
local before = tonumber(ARGV[3]) or math.huge
local stop, other = '-', newest
-- Even if this one has moved to the front since, everything older than its former place is still behind it.
local _, _, older = node(KEYS[1], ARGV[4])
if older then stop, other = ARGV[4], older end
local page = {}
for _ = 1, tonumber(ARGV[2]) do
  if other == '-' or #page == 2 * tonumber(ARGV[1]) then break end
  local at, _, nextOlder = node(KEYS[1], other)
  if not at then other = '-' break end
  if at < before then
    page[#page + 1] = other
    page[#page + 1] = at
  end
  stop, other = other, nextOlder
end
local fields = redis.call('HLEN', KEYS[1])
if newest ~= '-' then fields = fields - 1 end
return { fields - linked, stop, other ~= '-' and 1 or 0, page }
