-- use: log inbox
-- Count what an inbox holds, some entries a call: for one that a release without counters has written to. Several may do
-- so at once. What is counted so far stands in `counting`: 'seq first acked', and is void when first or acked moved.
-- KEYS  1 inbox  2 inbox:meta  3 inbox:ids  4 inbox:senders  5 inbox:mail  6 inbox:friends
-- ARGV  1 most entries of this call
-- Replies 'counted' | 'more'
local box = inbox(KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6])
if box.isCounted then return 'counted' end
local counting = redis.call('HGET', KEYS[2], 'counting') or ''
local seq, from = string.match(counting, '^(%d+) (.+)$')
seq = tonumber(seq)
if from ~= box.first .. ' ' .. box.acked then
  redis.call('DEL', KEYS[4], KEYS[5])
  seq, box.unread, box.bytes = box.first - 1, 0, 0
end
local entries = redis.call('LRANGE', KEYS[1], seq + 1 - box.first, seq + tonumber(ARGV[1]) - box.first)
for _, entry in ipairs(entries) do
  seq = seq + 1
  box.bytes = box.bytes + #entry
  if string.sub(entry, 1, 2) ~= '- ' then
    befriend(box, string.match(entry, TO))
  elseif seq > box.acked then
    local name = string.match(entry, FROM)
    receive(box, seq, #entry, name, waiting(box, name))
  end
end
if seq < box.last and #entries > 0 then
  redis.call('HSET', KEYS[2], 'counting', seq .. ' ' .. box.first .. ' ' .. box.acked, 'unread', box.unread, 'bytes', box.bytes)
  return 'more'
end
redis.call('HDEL', KEYS[2], 'counting')
save(box)
return 'counted'
