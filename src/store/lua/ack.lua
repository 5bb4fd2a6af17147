-- use: log deliver
-- Acknowledge an inbox up to a message or a position; never backwards. Tells the account's streams.
-- KEYS  1 inbox  2 inbox:meta  3 inbox:ids
-- ARGV  1 channel  2 origin session  3 message id or ''  4-6 epoch, seq, mark of a position
-- Replies {'acked', unread} | {'unknown'}
local m = redis.call('HMGET', KEYS[2], 'epoch', 'first', 'last', 'acked')
local first, last, acked = tonumber(m[2] or 1), tonumber(m[3] or 0), tonumber(m[4] or 0)
local seq
if ARGV[3] ~= '' then
  seq = tonumber(redis.call('HGET', KEYS[3], ARGV[3]) or nil)
else
  seq = tonumber(ARGV[5])
  if seq > last or (seq > 0 and m[1] ~= ARGV[4]) then seq = nil end
end
if not seq then return { 'unknown' } end
if seq > acked and seq >= first then
  local _, received, id = string.match(redis.call('LINDEX', KEYS[1], seq - first), ENTRY)
  if ARGV[3] == '' and mark(id) ~= ARGV[6] then return { 'unknown' } end
  redis.call('HSET', KEYS[2], 'acked', seq, 'read', received)
  redis.call('PUBLISH', ARGV[1], 'ack ' .. ARGV[2] .. ' ' .. unread(KEYS[2]) .. ' ' .. id)
end
return { 'acked', unread(KEYS[2]) }
