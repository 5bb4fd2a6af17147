-- use: clock
-- Find the dead nodes, and mark them with 0: one that was only suspended learns from its next heartbeat that it must
-- announce its accounts again, under a new id.
-- KEYS  1 heartbeats
-- ARGV  1 ms of silence after which a node is dead
-- Replies {node ids}
local now, dead = clock(), {}
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  if now - tonumber(all[i + 1]) > tonumber(ARGV[1]) then
    dead[#dead + 1] = all[i]
    if all[i + 1] ~= '0' then redis.call('HSET', KEYS[1], all[i], 0) end
  end
end
return dead
