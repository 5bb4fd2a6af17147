-- use: clock send-limit log idempotency append
-- Append a message to the broadcast log and notify every node. The cost does not depend on the number of accounts.
-- KEYS  1 broadcasts  2 broadcasts:meta  3 broadcasts:keys  4 limit of the sender
-- ARGV  1 channel  2-3 entries and bytes kept  4 epoch if the log is new  5 idempotency key or '-'  6 origin session
--       7 message id  8 message without seq and closing brace  9 sends allowed  10 in how many ms
-- Replies {'appended', message} | {'replayed', message} | {'limited', ms to wait}
local stored = storedUnder(KEYS[1], KEYS[2], KEYS[3], ARGV[5])
if stored then return { 'replayed', stored } end
local wait = take(KEYS[4], ARGV[9], ARGV[10], clock())
if wait > 0 then return { 'limited', wait } end
local log = open(KEYS[1], KEYS[2], KEYS[3], ARGV[4])
local message = append(log, ARGV[1], { ARGV[2], ARGV[3] }, ARGV[5], ARGV[6], ARGV[7], ARGV[8], 0)
return { 'appended', message }
