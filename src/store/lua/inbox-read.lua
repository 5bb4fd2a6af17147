-- use: entry log inbox check find
-- Read the unacknowledged messages from others in an inbox. Each entry says how many messages had been received up to it, so
-- a run of own copies of any length is skipped by binary search, and knowing whether more follow needs no counting.
-- KEYS  1 inbox  2 its hash  3 heavy
-- ARGV  1 id of the message to read after, or ''  2 its seq, where there is no id  3 count  4 bytes  5 owner
--       6 epoch for an inbox that has lost entries
-- Replies {'read', first; acked; unread; 1 if unread mail was trimmed, else 0; seq up to which entries were scanned; 1 if more follow, else 0;
--   entries; seq of the first and the last tombstone that were passed, 0 if none} | {'unknown'}
local SCAN_ENTRIES = 1000 -- per call; if no message was found by then, the caller continues from scannedTo
local box = inbox(1, ARGV[5], '-', 1, 1)
checkInbox(box, ARGV[6])
local after = tonumber(ARGV[2])
if ARGV[1] ~= '' then
  after = find(box, ARGV[1])
  if not after then return { 'unknown' } end
end
local first, received = box.first, box.received
local count, bytes = tonumber(ARGV[3]), tonumber(ARGV[4])
local at, stop = math.max(after, box.acked, first - 1) + 1 - first, box.last - first

local function receivedAt(index)
  return tonumber(string.match(redis.call('LINDEX', KEYS[1], index) or '', '^%S+ (%d+) ')) or received
end

-- The index of the first entry after `n` messages had been received.
local function leap(from, n)
  if n >= received then return stop + 1 end
  local low, high = from, stop
  while low < high do
    local middle = math.floor((low + high) / 2)
    if receivedAt(middle) > n then high = middle else low = middle + 1 end
  end
  return low
end

local evictedFrom, evictedTo, last = 0, 0, nil
local entries, size, scanned, passed, chunk, seen, isFull = {}, 0, 0, 0, 4, nil, false
while at <= stop and passed < SCAN_ENTRIES and not isFull do
  local lines, before = redis.call('LRANGE', KEYS[1], at, math.min(at + chunk - 1, stop)), #entries
  if #lines == 0 then at = stop + 1 end -- the list is shorter than its state says
  for _, line in ipairs(lines) do
    local kind, _, n = standing(box, at + first, line)
    local isWanted = kind == 'unread'
    if isWanted and (#entries == count or (size + #line > bytes and #entries > 0)) then isFull = true break end
    if isWanted then entries[#entries + 1], size = line, size + #line end
    if kind == 'tombstone' then
      evictedTo = at + first
      if evictedFrom == 0 then evictedFrom = evictedTo end
    end
    last = kind
    seen, at, scanned, passed = tonumber(n), at + 1, scanned + #line, passed + 1
  end
  if last == 'own' and not isFull and at <= stop then at = leap(at, seen) end
  chunk = math.max(1, math.min(chunk * 2, 32, math.ceil((bytes - size) * passed / scanned)))
end
local hasMore = at <= stop and (isFull or not seen or seen < received)
local place = { at - 1 + first, hasMore and 1 or 0, entries, evictedFrom, evictedTo }
return { 'read', first, box.acked, box.unread, box.dropped > box.read and 1 or 0, unpack(place) }
