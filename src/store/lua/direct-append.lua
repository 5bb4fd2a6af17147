-- use: clock send-limit entry log append inbox check channel-list sender-quota inbox-eviction deliver
-- Append a message to a direct channel and deliver it to both inboxes: all of it or nothing.
-- KEYS  1 log  2 its hash  3 limit of the sender  4 account of the reader  5-7 the sender's inbox: list, hash, heavy
--       8-10 the reader's inbox (the same keys for a note to oneself)
-- ARGV  1 sender  2 reader  3 channel  4 sender's pub/sub channel  5 reader's  6 limits: entries and bytes kept in the channel,
--       in an inbox; bytes stored of one sender; sends allowed, in how many ms  7 epoch for a log that is new
--       8 digest of the idempotency key or '-'  9 origin session  10 id  11 its time (epoch ms)  12 sender and json
-- Replies {'appended', seq} | {'replayed', entry} | {'limited', ms to wait} | {'unknown'} | {'mailbox_full'}
--       | {'quota_exceeded'} | {'again'}: run it again, room for it is still being made
local from, channel, newEpoch, key, origin, id, rest = ARGV[1], ARGV[3], ARGV[7], ARGV[8], ARGV[9], ARGV[10], ARGV[12]
local log = open(KEYS[1], KEYS[2], key, newEpoch)
local stored = recall(log, key)
if stored then return { 'replayed', stored } end
local kept, keptBytes, limit, maxBytes, quota, sends, windowMs =
  string.match(ARGV[6], '^(%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+)$')
limit, maxBytes = tonumber(limit), tonumber(maxBytes)
local sender = inbox(5, from, channel, limit, maxBytes)
local reader = from ~= ARGV[2] and inbox(8, ARGV[2], channel, limit, maxBytes)
-- An account that has an inbox exists; it costs a command to ask about any other.
if not (reader or sender).isKnown and redis.call('EXISTS', KEYS[4]) == 0 then return { 'unknown' } end
local now = clock()
local wait, endsAt = limited(KEYS[3], sends, now)
if wait > 0 then return { 'limited', wait } end

local size = #id + #origin + #key + #rest + 32 -- an upper bound
local lineSize = #channel + size + 16
local due = 0
if sender.stored + size > tonumber(quota) then due = payment(log, from, size) end
if not due then return { 'quota_exceeded' } end
if reader and hasNoRoom(reader, lineSize, channel) then return { 'mailbox_full' } end
befriend(sender, nodeOf(sender, channel)) -- first: who gets a message from the owner is no stranger
local isDone = makeRoom(sender, lineSize, true)
if reader then isDone = makeRoom(reader, lineSize, nodeOf(reader, channel).isFriend) and isDone end
if not isDone then
  if sender.isKnown then save(sender) end
  if reader and reader.isKnown then save(reader) end
  return { 'again' }
end

charge(KEYS[3], sends, windowMs, now, endsAt)
local function forget(name, bytes)
  local box = name == from and sender or reader
  if box then box.stored = math.max(0, box.stored - bytes) end
end
local entry, place, before =
  append(log, tonumber(kept), tonumber(keptBytes), origin, key, id, rest, newEpoch, due, forget)
sender.stored = sender.stored + #entry
local ms = tonumber(ARGV[11])
local readerBefore, readerLine, senderBefore, senderLine
if reader then
  readerBefore, readerLine = deliver(reader, channel, newEpoch, log, before, id, ms, encode(place, '-', '-', rest), false, now)
  save(reader)
end
senderBefore, senderLine = deliver(sender, channel, newEpoch, log, before, id, ms, encode(place, origin, '-', rest), true, now)
save(sender)
if readerLine then notify(ARGV[5], reader, readerBefore, readerLine) end
if senderLine then notify(ARGV[4], sender, senderBefore, senderLine) end
return { 'appended', log.last }
