-- use: entry log inbox check find
-- Acknowledge an inbox up to a message or a position; never backwards. Notifies the account's streams. A long range
-- takes several calls, each of which is a complete acknowledgement.
-- KEYS  1 inbox  2 its hash  3 heavy
-- ARGV  1 pub/sub channel  2 origin session  3 id of a message or ''  4-6 epoch, seq, mark of a position  7 bytes to examine per
--       call  8 owner  9-10 limits of an inbox: entries, bytes
--       11 epoch for an inbox that has lost entries
-- Replies {'acked', unread} | {'more', unread} | {'unknown'}
local box = inbox(1, ARGV[8], '-', tonumber(ARGV[9]), tonumber(ARGV[10]))
checkInbox(box, ARGV[11])
local seq
if ARGV[3] ~= '' then
  seq = find(box, ARGV[3])
else
  seq = tonumber(ARGV[5])
  if seq > box.last or (seq > 0 and box.epoch ~= ARGV[4]) then seq = nil end
end
if not seq then return { 'unknown' } end
if seq <= box.acked or seq < box.first then return { 'acked', box.unread } end

local function receivedAndId(at)
  local line = redis.call('LINDEX', box.list, at - box.first) or ''
  return select(2, string.match(line, LINE)), select(4, string.match(line, LINE))
end

local received, id = receivedAndId(seq)
if not id or (ARGV[3] == '' and ARGV[6] ~= '' and mark(id) ~= ARGV[6]) then return { 'unknown' } end
local stop = math.max(box.acked + 1, box.first) - 1
if seq == box.last then
  redis.call('UNLINK', box.heavy)
  box.unread, box.strangers, box.strangerBytes, stop = 0, 0, 0, seq
else
  local bytes = 0
  while stop < seq and bytes < tonumber(ARGV[7]) do
    local lines = redis.call('LRANGE', box.list, stop + 1 - box.first, math.min(seq, stop + 32) - box.first)
    if #lines == 0 then break end
    for _, line in ipairs(lines) do
      stop, bytes = stop + 1, bytes + #line
      local kind, channel = standing(box, stop, line)
      if kind == 'unread' then count(box, recordOf(box, channel), -1, -#line) end
    end
  end
  if stop < seq then received, id = receivedAndId(stop) end
end
box.acked, box.read = stop, tonumber(received)
save(box)
redis.call('SPUBLISH', ARGV[1], 'ack ' .. ARGV[2] .. ' ' .. box.unread .. ' ' .. id)
return { stop < seq and 'more' or 'acked', box.unread }
