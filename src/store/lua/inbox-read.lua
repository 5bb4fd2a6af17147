-- use: inbox-counters
-- Read the unacknowledged messages from others in an inbox. The note of an entry is the number of messages received up
-- to it, so a run of own copies of any length is skipped by binary search, and knowing whether more follow needs no
-- counting.
-- KEYS  1 inbox  2 inbox:meta  3 inbox:ids
-- ARGV  1 id of the message to read after, or ''  2 its seq, where there is no id  3 count  4 bytes
-- Replies {'read', first; acked; unread; 1 if unread mail was trimmed, else 0; seq up to which entries were scanned; 1 if more follow, else 0;
--   messages; seq of the first and the last tombstone that were passed, 0 if none} | {'unknown'} | {'uncounted'}
local SCAN_BYTES = 512 * 1024 -- per call; if no message was found by then, the caller continues from scannedTo
if isUncounted(KEYS[2]) then return { 'uncounted' } end
local after = tonumber(ARGV[2])
if ARGV[1] ~= '' then
  after = tonumber(redis.call('HGET', KEYS[3], ARGV[1]) or nil)
  if not after then return { 'unknown' } end
end
local first, last, acked, received, read, dropped, unread = unpackCounters(redis.call('HGET', KEYS[2], 'counters'))
local count, bytes = tonumber(ARGV[3]), tonumber(ARGV[4])
local at, stop = math.max(after, acked, first - 1) + 1 - first, last - first

local function noteAt(index)
  return tonumber(string.match(redis.call('LINDEX', KEYS[1], index) or '', '^%S+ (%S+) ')) or received
end

-- The index of the first entry after `note` messages had been received.
local function leap(from, note)
  if note >= received then return stop + 1 end
  local low, high = from, stop
  while low < high do
    local middle = math.floor((low + high) / 2)
    if noteAt(middle) > note then high = middle else low = middle + 1 end
  end
  return low
end

local evictedFrom, evictedTo = 0, 0
local messages, size, scanned, passed, chunk, seen, isFull = {}, 0, 0, 0, 4, nil, false
while at <= stop and scanned < SCAN_BYTES and not isFull do
  local entries, before = redis.call('LRANGE', KEYS[1], at, math.min(at + chunk - 1, stop)), #messages
  if #entries == 0 then at = stop + 1 end -- the list is shorter than its meta says
  for _, entry in ipairs(entries) do
    local origin, note, message = string.match(entry, '^(%S+) (%S+) (.*)$')
    local isWanted = origin == '-'
    if isWanted and (#messages == count or (size + #message > bytes and #messages > 0)) then isFull = true break end
    if isWanted then messages[#messages + 1], size = message, size + #message end
    if origin == '!' then
      evictedTo = at + first
      if evictedFrom == 0 then evictedFrom = evictedTo end
    end
    seen, at, scanned, passed = tonumber(note), at + 1, scanned + #entry, passed + 1
  end
  if #messages == before and not isFull and at <= stop then at = leap(at, seen) end
  chunk = math.max(1, math.min(chunk * 2, 32, math.ceil((bytes - size) * passed / scanned)))
end
local hasMore = at <= stop and (isFull or not seen or seen < received)
local place = { at - 1 + first, hasMore and 1 or 0, messages, evictedFrom, evictedTo }
return { 'read', first, acked, unread, dropped > read and 1 or 0, unpack(place) }
