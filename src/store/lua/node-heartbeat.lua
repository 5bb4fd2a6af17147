-- use: clock
-- A node's heartbeat.
-- KEYS  1 nodes
-- ARGV  1 node id  2 ms of silence after which a node is dead  3 ms to age this beat by (a node that is leaving)
-- Replies {now (epoch ms), 1 if this node was still known | 0 if it had been evicted, id of the Redis process or '', dead node ids …}
local now = clock()
local info = redis.pcall('INFO', 'server') -- may be forbidden or renamed
local run = type(info) == 'string' and string.match(info, 'run_id:(%w+)') or ''
local before = redis.call('HGET', KEYS[1], ARGV[1])
local reply = { now, (before and before ~= '0') and 1 or 0, run }
redis.call('HSET', KEYS[1], ARGV[1], now - tonumber(ARGV[3]))
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  if now - tonumber(all[i + 1]) > tonumber(ARGV[2]) then reply[#reply + 1] = all[i] end
end
return reply
