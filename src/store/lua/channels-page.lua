-- use: entry log inbox check
-- A page of an account's channels, newest first. Takes a bounded number of steps; the caller continues where it stopped.
-- KEYS  1 inbox  2 its hash  3 heavy
-- ARGV  1 count  2 steps  3 only channels older than this (at), or ''  4 start behind this one, or '-'
--       5 epoch for an inbox that has lost entries
-- Replies {where it stopped, '-' = before the newest; 1 if there are older ones, else 0; channel, at, unread, …}
local box = inbox(1, '', ARGV[4], 1, 1)
checkInbox(box, ARGV[5])
local before = tonumber(ARGV[3]) or math.huge
local stop, channel = '-', box.newest
-- Even if this one has moved to the front since, everything older than its former place is still behind it.
local start = recordOf(box, ARGV[4])
if not start.isNew then stop, channel = ARGV[4], start.older end
local page = {}
for _ = 1, tonumber(ARGV[2]) do
  if channel == '-' or #page == 3 * tonumber(ARGV[1]) then break end
  local record = recordOf(box, channel)
  if record.isNew then channel = '-' break end
  if record.at < before then
    page[#page + 1] = channel
    page[#page + 1] = record.at
    page[#page + 1] = record.unread
  end
  stop, channel = channel, record.older
end
return { stop, channel ~= '-' and 1 or 0, page }
