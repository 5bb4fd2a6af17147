-- The counters of an inbox of an earlier form: fields of its meta, or packed in one of them.
-- KEYS  1 meta
-- Replies {epoch, first, last, acked, received, read, dropped}; epoch is '' if there is no inbox
local m = redis.call('HMGET', KEYS[1], 'epoch', 'first', 'last', 'acked', 'received', 'read', 'dropped', 'counters')
local counters = { m[2] or 1, m[3] or 0, m[4] or 0, m[5] or 0, m[6] or 0, m[7] or 0 }
if m[8] then counters = { cmsgpack.unpack(m[8]) } end
local reply = { m[1] or '' }
for i = 1, 6 do reply[i + 1] = tonumber(counters[i]) end
return reply
