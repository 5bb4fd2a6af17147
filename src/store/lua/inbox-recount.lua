-- use: log inbox-counters inbox
-- Count the contents of an inbox written by a release without counters, some entries per call. Several callers may do
-- so concurrently. The count restarts if that release acknowledged or trimmed in between.
-- KEYS  1 inbox  2 inbox:meta  3 inbox:ids  4 inbox:senders  5 inbox:mail  6 inbox:friends  7 inbox:heavy
-- ARGV  1 maximum number of entries per call  2-3 limits of an inbox: entries, bytes
-- Replies 'counted' | 'more'
local box = inbox(1, tonumber(ARGV[2]), tonumber(ARGV[3]))
if box.isCounted then return 'counted' end
local m = redis.call('HMGET', KEYS[2], 'first', 'last', 'acked', 'received', 'read', 'dropped', 'counting')
local function old(at) return tonumber(m[at] or 0) end
local counting = m[7] and { cmsgpack.unpack(m[7]) } or {}
local seq = counting[14]
box.first, box.last, box.acked, box.received, box.read, box.dropped = old(1), old(2), old(3), old(4), old(5), old(6)
if counting[1] == box.first and counting[3] == box.acked then
  box.unread, box.bytes, box.evicted, box.evictedAt, box.strangers, box.strangerBytes = unpack(counting, 7, 12)
else
  redis.call('DEL', KEYS[4], KEYS[5], KEYS[7])
  seq = box.first - 1
end
local entries = redis.call('LRANGE', KEYS[1], seq + 1 - box.first, seq + tonumber(ARGV[1]) - box.first)
for _, entry in ipairs(entries) do
  seq = seq + 1
  local origin = string.match(entry, ENTRY)
  box.bytes = box.bytes + #entry
  local name = string.match(entry, origin == '-' and FROM or TO)
  if origin ~= '-' then befriend(box, name)
  elseif seq > box.acked then receive(box, seq, int(seq), #entry, name, waiting(box, name)) end
end
if seq < box.last and #entries > 0 then
  saveSenders(box)
  redis.call('HSET', KEYS[2], 'counting', pack(box) .. cmsgpack.pack(seq))
  return 'more'
end
save(box, int(box.last))
redis.call('HDEL', KEYS[2], 'counting', 'acked', 'received', 'read', 'dropped')
return 'counted'
