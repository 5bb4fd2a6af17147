-- use: log inbox
-- Count what an inbox holds, some entries a call: for one that a release without counters has written to. Several may do
-- so at once. What is counted so far stands in `counting`: 'seq first acked', and is void when first or acked moved.
-- KEYS  1 inbox  2 inbox:meta  3 inbox:ids  4 inbox:senders  5 inbox:mail  6 inbox:friends  7 inbox:heavy
-- ARGV  1 most entries of this call  2-3 entries and bytes kept in an inbox
-- Replies 'counted' | 'more'
local box = inbox(1, ARGV[2], ARGV[3])
if box.isCounted then return 'counted' end
local counting = redis.call('HGET', KEYS[2], 'counting') or ''
local seq, from = string.match(counting, '^(%d+) (.+)$')
seq = tonumber(seq)
if from ~= box.first .. ' ' .. box.acked then
  redis.call('DEL', KEYS[4], KEYS[5], KEYS[7])
  seq = box.first - 1
  box.unread, box.bytes, box.evicted, box.evictedAt, box.strangers, box.strangerBytes = 0, 0, 0, 0, 0, 0
end
local entries = redis.call('LRANGE', KEYS[1], seq + 1 - box.first, seq + tonumber(ARGV[1]) - box.first)
for _, entry in ipairs(entries) do
  seq = seq + 1
  local origin = string.match(entry, ENTRY)
  if origin == '!' then
    box.evicted, box.evictedAt = box.evicted + 1, seq
    if seq > box.acked then redis.call('HSET', KEYS[5], seq, '!') end
  else
    box.bytes = box.bytes + #entry
    local name = string.match(entry, origin == '-' and FROM or TO)
    if origin ~= '-' then befriend(box, name)
    elseif seq > box.acked then receive(box, seq, #entry, name, waiting(box, name)) end
  end
end
local isDone = seq >= box.last or #entries == 0
save(box, true, not isDone)
if isDone then
  redis.call('HDEL', KEYS[2], 'counting')
  return 'counted'
end
redis.call('HSET', KEYS[2], 'counting', seq .. ' ' .. box.first .. ' ' .. box.acked)
return 'more'
