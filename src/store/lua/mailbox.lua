-- Read the messages of others in an inbox that are not acknowledged. The note of an entry counts what was received up to
-- it, so a run of own copies, however long, is passed by a binary search, and nothing is counted to know if more follow.
-- KEYS  1 inbox  2 inbox:meta  3 inbox:ids
-- ARGV  1 id of the message to read after, or ''  2 its seq, where there is no id  3 count  4 bytes
-- Replies {'read', meta as field, value, …; seq up to which was looked; 1 if more follow, else 0; messages; seq of the first
--   and the last tombstone that were passed, 0 if none} | {'unknown'}
local LOOK_BYTES = 512 * 1024 -- of one call; whoever found nothing by then goes on from where it has looked
local after = tonumber(ARGV[2])
if ARGV[1] ~= '' then
  after = tonumber(redis.call('HGET', KEYS[3], ARGV[1]) or nil)
  if not after then return { 'unknown' } end
end
local m = redis.call('HMGET', KEYS[2], 'first', 'last', 'acked', 'received')
local first, last, received = tonumber(m[1] or 1), tonumber(m[2] or 0), tonumber(m[4] or 0)
local count, bytes = tonumber(ARGV[3]), tonumber(ARGV[4])
local at, stop = math.max(after, tonumber(m[3] or 0), first - 1) + 1 - first, last - first

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
local found, size, looked, read, chunk, seen, isFull = {}, 0, 0, 0, 4, nil, false
while at <= stop and looked < LOOK_BYTES and not isFull do
  local entries, before = redis.call('LRANGE', KEYS[1], at, math.min(at + chunk - 1, stop)), #found
  if #entries == 0 then at = stop + 1 end -- less there than the meta says
  for _, entry in ipairs(entries) do
    local origin, note, message = string.match(entry, '^(%S+) (%S+) (.*)$')
    local isWanted = origin == '-'
    if isWanted and (#found == count or (size + #message > bytes and #found > 0)) then isFull = true break end
    if isWanted then found[#found + 1], size = message, size + #message end
    if origin == '!' then
      evictedTo = at + first
      if evictedFrom == 0 then evictedFrom = evictedTo end
    end
    seen, at, looked, read = tonumber(note), at + 1, looked + #entry, read + 1
  end
  if #found == before and not isFull and at <= stop then at = leap(at, seen) end
  chunk = math.max(1, math.min(chunk * 2, 32, math.ceil((bytes - size) * read / looked)))
end
local hasMore = at <= stop and (isFull or not seen or seen < received)
return { 'read', redis.call('HGETALL', KEYS[2]), at - 1 + first, hasMore and 1 or 0, found, evictedFrom, evictedTo }
