-- Where logs end now. One script for many: a command for each costs the caller ten times as much.
-- KEYS  the logs' metas
-- Replies {epoch, seq, mark, …}, three for each; '', '0' and '' where there is no log
local heads = {}
for _, meta in ipairs(KEYS) do
  local found = redis.call('HMGET', meta, 'epoch', 'last', 'mark')
  heads[#heads + 1] = found[1] or ''
  heads[#heads + 1] = found[2] or '0'
  heads[#heads + 1] = found[3] or ''
end
return heads
