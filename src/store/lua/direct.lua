-- use: clock limit log append inbox conversations deliver
-- Append a message to a conversation and deliver it to both inboxes: all of it or nothing.
-- KEYS  1 conversation  2 conversation:meta  3 conversation:keys  4 limit of the sender  5 account of the reader
--       6-8 the sender's inbox, its meta, ids  9 conversations  10-12 senders, mail, friends
--       13-15 the reader's inbox, its meta, ids  16 conversations  17-19 senders, mail, friends
--       (the same keys for a note to oneself)
-- ARGV  1 sender  2 reader  3 sender's channel  4 reader's channel  5 kept in the conversation  6 kept in an inbox
--       7 epoch for a log that is new  8 idempotency key or '-'  9 origin session  10 message id
--       11 message without seq and closing brace  12 sends allowed  13 in how many ms
-- Replies {'appended', message} | {'replayed', message} | {'limited', ms to wait} | {'unknown'} | {'uncounted'}
local stored = recall(KEYS[1], KEYS[2], KEYS[3], ARGV[8])
if stored then return { 'replayed', stored } end
if redis.call('EXISTS', KEYS[5]) == 0 then return { 'unknown' } end
local sender = inbox(KEYS[6], KEYS[7], KEYS[8], KEYS[10], KEYS[11], KEYS[12])
local reader = ARGV[1] ~= ARGV[2] and inbox(KEYS[13], KEYS[14], KEYS[15], KEYS[17], KEYS[18], KEYS[19])
if not sender.isCounted or (reader and not reader.isCounted) then return { 'uncounted' } end
local now = clock()
local wait = take(KEYS[4], tonumber(ARGV[12]), tonumber(ARGV[13]), now)
if wait > 0 then return { 'limited', wait } end
local message =
  append(KEYS[1], KEYS[2], KEYS[3], nil, tonumber(ARGV[5]), ARGV[7], ARGV[8], ARGV[9], ARGV[10], ARGV[11])
local kept = tonumber(ARGV[6])
if reader then
  deliver(reader, KEYS[16], ARGV[4], kept, ARGV[7], false, '-', ARGV[10], ARGV[1], message, now)
end
deliver(sender, KEYS[9], ARGV[3], kept, ARGV[7], true, ARGV[9], ARGV[10], ARGV[2], message, now)
return { 'appended', message }
