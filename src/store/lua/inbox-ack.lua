-- use: log inbox-counters inbox
-- Acknowledge an inbox up to a message or a position; never backwards. Notifies the account's streams. A long range
-- takes several calls, each of which is a complete acknowledgement.
-- KEYS  1 inbox  2 inbox:meta  3 inbox:ids  4 inbox:senders  5 inbox:mail  6 inbox:friends  7 inbox:heavy
-- ARGV  1 channel  2 origin session  3 message id or ''  4-6 epoch, seq, mark of a position  7 maximum number of
--       entries per call  8-9 limits of an inbox: entries, bytes
-- Replies {'acked', unread} | {'more', unread} | {'unknown'} | {'uncounted'}
local box = inbox(1, tonumber(ARGV[8]), tonumber(ARGV[9]))
if not box.isCounted then return { 'uncounted' } end
local seq
if ARGV[3] ~= '' then
  seq = tonumber(redis.call('HGET', KEYS[3], ARGV[3]) or nil)
else
  seq = tonumber(ARGV[5])
  if seq > box.last or (seq > 0 and box.epoch ~= ARGV[4]) then seq = nil end
end
if not seq then return { 'unknown' } end
if seq <= box.acked or seq < box.first then return { 'acked', box.unread } end

local function noteAndId(at) return select(2, string.match(redis.call('LINDEX', KEYS[1], at - box.first), ENTRY)) end

local note, id = noteAndId(seq)
if ARGV[3] == '' and mark(id) ~= ARGV[6] then return { 'unknown' } end
local low = math.max(box.acked + 1, box.first)
local stop = math.min(seq, low + tonumber(ARGV[7]) - 1)
if seq == box.last then
  redis.call('UNLINK', KEYS[4], KEYS[5], KEYS[7])
  box.unread, box.strangers, box.strangerBytes, stop = 0, 0, 0, seq
elseif box.unread > 0 or box.evictedAt > box.acked then
  local seqs = {}
  for each = low, stop do seqs[#seqs + 1] = each end
  for _, record in ipairs(redis.call('HMGET', KEYS[5], unpack(seqs))) do
    if record then release(box, record) end
  end
  redis.call('HDEL', KEYS[5], unpack(seqs))
end
if stop < seq then note, id = noteAndId(stop) end
box.acked, box.read = stop, tonumber(note)
save(box, int(box.last))
redis.call('SPUBLISH', ARGV[1], 'ack ' .. ARGV[2] .. ' ' .. box.unread .. ' ' .. id)
return { stop < seq and 'more' or 'acked', box.unread }
