-- use: clock send-limit entry log append inbox check channel-list sender-quota inbox-eviction deliver
-- Append a message to a direct channel and deliver it to both inboxes: all of it or nothing.
-- KEYS  1 log  2 its hash  3 limit of the sender  4 account of the recipient  5-7 the sender's inbox: list, hash, heavy
--       8-10 the recipient's inbox (the same keys for a note to oneself)
-- ARGV  1 sender  2 recipient  3 channel  4 sender's pub/sub channel  5 recipient's  6 limits: entries and bytes kept in the channel,
--       in an inbox; bytes stored of one sender; sends allowed, in how many ms  7 epoch for a log that is new or has lost entries
--       8 digest of the idempotency key or '-'  9 origin session  10 id  11 its time (epoch ms)  12 sender and json
-- Replies {'appended', seq} | {'replayed', entry} | {'limited', ms to wait} | {'unknown'} | {'mailbox_full'}
--       | {'quota_exceeded'} | {'again'}: not enough room freed yet; run the script again
local from, channel, newEpoch, key, origin, id, rest = ARGV[1], ARGV[3], ARGV[7], ARGV[8], ARGV[9], ARGV[10], ARGV[12]
local log = open(KEYS[1], KEYS[2], key, newEpoch)
local stored = recall(log, key)
if stored then return { 'replayed', stored } end
local kept, keptBytes, limit, maxBytes, quota, sends, windowMs =
  string.match(ARGV[6], '^(%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+)$')
limit, maxBytes = tonumber(limit), tonumber(maxBytes)
local sender = inbox(5, from, channel, limit, maxBytes)
local recipient = from ~= ARGV[2] and inbox(8, ARGV[2], channel, limit, maxBytes)
-- An account that has an inbox exists; it costs a command to ask about any other.
if not (recipient or sender).isKnown and redis.call('EXISTS', KEYS[4]) == 0 then return { 'unknown' } end
local now = clock()
local wait, endsAt = limited(KEYS[3], sends, now)
if wait > 0 then return { 'limited', wait } end

local size = #id + #origin + #key + #rest + 32 -- an upper bound
local lineSize = #channel + size + 16
local due = 0
if sender.stored + size > tonumber(quota) then due = payment(log, from, size) end
if not due then return { 'quota_exceeded' } end
if recipient and hasNoRoom(recipient, lineSize, channel) then return { 'mailbox_full' } end
befriend(sender, recordOf(sender, channel)) -- before delivery: an account that the owner writes to is not a stranger
local isDone = makeRoom(sender, lineSize, true)
if recipient then isDone = makeRoom(recipient, lineSize, recordOf(recipient, channel).isFriend) and isDone end
if not isDone then
  if sender.isKnown then save(sender) end
  if recipient and recipient.isKnown then save(recipient) end
  return { 'again' }
end

charge(KEYS[3], sends, windowMs, now, endsAt)
local function forget(name, bytes)
  local box = name == from and sender or recipient
  if box then box.stored = math.max(0, box.stored - bytes) end
end
local entry, place, before =
  append(log, tonumber(kept), tonumber(keptBytes), origin, key, id, rest, newEpoch, due, forget)
sender.stored = sender.stored + #entry
local ms = tonumber(ARGV[11])
local recipientBefore, recipientLine, senderBefore, senderLine
if recipient then
  recipientBefore, recipientLine = deliver(recipient, channel, newEpoch, log, before, id, ms, encode(place, '-', '-', rest), false, now)
  save(recipient)
end
senderBefore, senderLine = deliver(sender, channel, newEpoch, log, before, id, ms, encode(place, origin, '-', rest), true, now)
save(sender)
if recipientLine then notify(ARGV[5], recipient, recipientBefore, recipientLine) end
if senderLine then notify(ARGV[4], sender, senderBefore, senderLine) end
return { 'appended', log.last }
