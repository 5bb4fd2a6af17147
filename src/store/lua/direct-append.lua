-- use: clock send-limit log idempotency append inbox-counters inbox conversations sender-quota inbox-eviction deliver
-- Append a message to a conversation and deliver it to both inboxes: all of it or nothing.
-- KEYS  1 conversation  2 conversation:meta  3 conversation:keys  4 limit of the sender  5 account of the reader
--       6 conversations of the sender  7-13 the sender's inbox: list, meta, ids, senders, mail, friends, heavy
--       14 conversations of the reader  15-21 the reader's inbox (the same keys for a note to oneself)
-- ARGV  1 sender  2 reader  3 sender's channel  4 reader's channel  5 limits: entries and bytes kept in the conversation, in an
--       inbox; bytes stored of one sender; sends allowed, in how many ms  6 epoch for a log that is new
--       7 idempotency key or '-'  8 origin session  9 message id  10 message without seq and closing brace
-- Replies {'appended', message} | {'replayed', message} | {'limited', ms to wait} | {'unknown'} | {'uncounted'}
--       | {'mailbox_full'} | {'quota_exceeded'}
local stored = storedUnder(KEYS[1], KEYS[2], KEYS[3], ARGV[7])
if stored then return { 'replayed', stored } end
local kept, keptBytes, limit, maxBytes, quota, sends, windowMs =
  string.match(ARGV[5], '^(%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+)$')
limit, maxBytes = tonumber(limit), tonumber(maxBytes)
local sender = inbox(7, limit, maxBytes)
local reader = ARGV[1] ~= ARGV[2] and inbox(15, limit, maxBytes)
-- An account that has an inbox exists; it costs a command to ask about any other.
if not (reader or sender).epoch and redis.call('EXISTS', KEYS[5]) == 0 then return { 'unknown' } end
if not sender.isCounted or (reader and not reader.isCounted) then return { 'uncounted' } end
local log = open(KEYS[1], KEYS[2], KEYS[3], ARGV[6])
local size = #ARGV[10] + ENTRY_BYTES
local due = 0
if sender.stored + size > tonumber(quota) then due = payment(log, ARGV[1], size) end
local hasRoom = not reader or not hasNoRoom(reader, size, ARGV[1])
local now = clock()
local wait = take(KEYS[4], sends, windowMs, now)
if wait > 0 then return { 'limited', wait } end
if not due then return { 'quota_exceeded' } end
if not hasRoom then return { 'mailbox_full' } end
local function forget(entry)
  local box = string.match(entry, FROM) == ARGV[1] and sender or reader
  if box then box.stored = math.max(0, box.stored - #entry) end
end
local message, entry =
  append(log, nil, { kept, keptBytes }, ARGV[7], ARGV[8], ARGV[9], ARGV[10], due, forget)
sender.stored = sender.stored + #entry
if reader then deliver(reader, KEYS[14], ARGV[4], ARGV[6], false, '-', ARGV[9], ARGV[1], message, now) end
deliver(sender, KEYS[6], ARGV[3], ARGV[6], true, ARGV[8], ARGV[9], ARGV[2], message, now)
return { 'appended', message }
