-- use: clock limit log append
-- Append a message to the broadcast log and wake every node. Its cost does not depend on how many accounts exist.
-- KEYS  1 broadcasts  2 broadcasts:meta  3 broadcasts:keys  4 limit of the sender
-- ARGV  1 channel  2 kept entries  3 epoch if the log is new  4 idempotency key or '-'  5 origin session
--       6 message id  7 message without seq and closing brace  8 sends allowed  9 in how many ms
-- Replies {'appended', message} | {'replayed', message} | {'limited', ms to wait}
local stored = recall(KEYS[1], KEYS[2], KEYS[3], ARGV[4])
if stored then return { 'replayed', stored } end
local wait = take(KEYS[4], tonumber(ARGV[8]), tonumber(ARGV[9]), clock())
if wait > 0 then return { 'limited', wait } end
local message =
  append(KEYS[1], KEYS[2], KEYS[3], ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7])
return { 'appended', message }
