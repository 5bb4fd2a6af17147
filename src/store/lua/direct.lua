-- use: clock limit log append inbox conversations quota room deliver
-- Append a message to a conversation and deliver it to both inboxes: all of it or nothing.
-- KEYS  1 conversation  2 conversation:meta  3 conversation:keys  4 limit of the sender  5 account of the reader
--       6 conversations of the sender  7-13 the sender's inbox: list, meta, ids, senders, mail, friends, heavy
--       14 conversations of the reader  15-21 the reader's inbox (the same keys for a note to oneself)
-- ARGV  1 sender  2 reader  3 sender's channel  4 reader's channel  5-6 entries and bytes kept in the conversation
--       7-8 in an inbox  9 epoch for a log that is new  10 idempotency key or '-'  11 origin session  12 message id
--       13 message without seq and closing brace  14 sends allowed  15 in how many ms  16 bytes stored of one sender
-- Replies {'appended', message} | {'replayed', message} | {'limited', ms to wait} | {'unknown'} | {'uncounted'}
--       | {'mailbox_full'} | {'quota_exceeded'}
local stored = recall(KEYS[1], KEYS[2], KEYS[3], ARGV[10])
if stored then return { 'replayed', stored } end
if redis.call('EXISTS', KEYS[5]) == 0 then return { 'unknown' } end
local sender = inbox(7, ARGV[7], ARGV[8])
local reader = ARGV[1] ~= ARGV[2] and inbox(15, ARGV[7], ARGV[8])
if not sender.isCounted or (reader and not reader.isCounted) then return { 'uncounted' } end
local log = open(KEYS[1], KEYS[2], KEYS[3], ARGV[9])
local size = #ARGV[13] + ENTRY_BYTES
local due = 0
if sender.stored + size > tonumber(ARGV[16]) then due = payment(log, ARGV[1], size) end
local hasRoom = not reader or not hasNoRoom(reader, size, ARGV[1])
local now = clock()
local wait = take(KEYS[4], tonumber(ARGV[14]), tonumber(ARGV[15]), now)
if wait > 0 then return { 'limited', wait } end
if not due then return { 'quota_exceeded' } end
if not hasRoom then return { 'mailbox_full' } end
local function forget(entry)
  local box = string.match(entry, FROM) == ARGV[1] and sender or reader
  if box then box.stored = math.max(0, box.stored - #entry) end
end
local message, entry =
  append(log, nil, { ARGV[5], ARGV[6] }, ARGV[10], ARGV[11], ARGV[12], ARGV[13], due, forget)
sender.stored = sender.stored + #entry
if reader then deliver(reader, KEYS[14], ARGV[4], ARGV[9], false, '-', ARGV[12], ARGV[1], message, now) end
deliver(sender, KEYS[6], ARGV[3], ARGV[9], true, ARGV[11], ARGV[12], ARGV[2], message, now)
return { 'appended', message }
