-- The current ends of several logs. One script for all: a command for each costs the caller ten times as much.
-- KEYS  the logs' metas
-- Replies {epoch, seq, mark, …}, three for each; '', '0' and '' where there is no log
local positions = {}
for _, meta in ipairs(KEYS) do
  local fields = redis.call('HMGET', meta, 'epoch', 'last', 'mark')
  positions[#positions + 1] = fields[1] or ''
  positions[#positions + 1] = fields[2] or '0'
  positions[#positions + 1] = fields[3] or ''
end
return positions
