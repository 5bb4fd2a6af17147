-- use: inbox-counters
-- The number of unread messages that an account has from each of the others.
-- KEYS  1 inbox:meta  2 inbox:senders
-- ARGV  the others
-- Replies {'unread', count, …} | {'uncounted'}
if isUncounted(KEYS[1]) then return { 'uncounted' } end
local reply = { 'unread' }
for i, sender in ipairs(redis.call('HMGET', KEYS[2], unpack(ARGV))) do
  reply[i + 1] = sender and cmsgpack.unpack(sender) or 0
end
return reply
