-- use: clock
-- Claim the conversion of earlier data for this node, or keep the claim. From the first claim on, no node of an earlier release
-- can run: it finds a list where it expects the hash of heartbeats.
-- KEYS  1 realm  2 heartbeats of the earlier form, of which a node writes one every 3 s
-- ARGV  1 who claims  2 ms after which a claim without renewal, or a node without heartbeat, is gone
-- Replies 'claimed' | 'busy': another node converts | 'running': a node of an earlier release runs
local now, silence = clock(), tonumber(ARGV[2])
local isHash = redis.call('TYPE', KEYS[2]).ok == 'hash'
for _, beat in ipairs(isHash and redis.call('HVALS', KEYS[2]) or {}) do
  if now - (tonumber(beat) or 0) < silence then return 'running' end
end
local who, at = string.match(redis.call('HGET', KEYS[1], 'migrating') or '', '^(%S+) (%d+)$')
if who and who ~= ARGV[1] and now - tonumber(at) < silence then return 'busy' end
redis.call('HSET', KEYS[1], 'migrating', ARGV[1] .. ' ' .. string.format('%.0f', now))
redis.call('DEL', KEYS[2])
redis.call('RPUSH', KEYS[2], 'a later release has converted the data')
return 'claimed'
