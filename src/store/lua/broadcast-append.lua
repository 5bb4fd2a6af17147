-- use: clock send-limit entry log append
-- Append a message to the broadcast log, which every node follows, and notify every node. The cost does not depend on the
-- number of accounts.
-- KEYS  1 log  2 its hash  3 limit of the sender
-- ARGV  1 pub/sub channel  2-3 entries and bytes kept  4 epoch for a log that is new or has lost entries  5 digest of the idempotency key or '-'
--       6 origin session  7 id  8 sender and json  9 sends allowed  10 in how many ms
-- Replies {'appended', seq} | {'replayed', entry} | {'limited', ms to wait}
local log = open(KEYS[1], KEYS[2], ARGV[5], ARGV[4])
local stored = recall(log, ARGV[5])
if stored then return { 'replayed', stored } end
local now = clock()
local wait, endsAt = limited(KEYS[3], ARGV[9], now)
if wait > 0 then return { 'limited', wait } end
charge(KEYS[3], ARGV[9], ARGV[10], now, endsAt)
local entry, _, before =
  append(log, tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[6], ARGV[5], ARGV[7], ARGV[8], ARGV[4], 0)
notify(ARGV[1], log, before, entry)
return { 'appended', log.last }
