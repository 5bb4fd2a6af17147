-- use: clock limit log append inbox conversations room deliver
-- Append a message to a conversation and deliver it to both inboxes: all of it or nothing.
-- KEYS  1 conversation  2 conversation:meta  3 conversation:keys  4 limit of the sender  5 account of the reader
--       6 conversations of the sender  7-13 the sender's inbox: list, meta, ids, senders, mail, friends, heavy
--       14 conversations of the reader  15-21 the reader's inbox (the same keys for a note to oneself)
-- ARGV  1 sender  2 reader  3 sender's channel  4 reader's channel  5 kept in the conversation  6-7 entries and bytes kept
--       in an inbox  8 epoch for a log that is new  9 idempotency key or '-'  10 origin session  11 message id
--       12 message without seq and closing brace  13 sends allowed  14 in how many ms
-- Replies {'appended', message} | {'replayed', message} | {'limited', ms to wait} | {'unknown'} | {'uncounted'}
--       | {'mailbox_full'}
local stored = recall(KEYS[1], KEYS[2], KEYS[3], ARGV[9])
if stored then return { 'replayed', stored } end
if redis.call('EXISTS', KEYS[5]) == 0 then return { 'unknown' } end
local sender = inbox(7, ARGV[6], ARGV[7])
local reader = ARGV[1] ~= ARGV[2] and inbox(15, ARGV[6], ARGV[7])
if not sender.isCounted or (reader and not reader.isCounted) then return { 'uncounted' } end
local hasRoom = not reader or not hasNoRoom(reader, #ARGV[12] + ENTRY_BYTES, ARGV[1])
local now = clock()
local wait = take(KEYS[4], tonumber(ARGV[13]), tonumber(ARGV[14]), now)
if wait > 0 then return { 'limited', wait } end
if not hasRoom then return { 'mailbox_full' } end
local message =
  append(KEYS[1], KEYS[2], KEYS[3], nil, tonumber(ARGV[5]), ARGV[8], ARGV[9], ARGV[10], ARGV[11], ARGV[12])
if reader then deliver(reader, KEYS[14], ARGV[4], ARGV[8], false, '-', ARGV[11], ARGV[1], message, now) end
deliver(sender, KEYS[6], ARGV[3], ARGV[8], true, ARGV[10], ARGV[11], ARGV[2], message, now)
return { 'appended', message }
