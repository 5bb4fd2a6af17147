-- Write the state of a log as it is: a WAIT that follows then waits for everything that was written before, by any node.
-- KEYS  1 hash of the log
-- Replies 'touched' | 'unknown': there is no such log
local state = redis.call('HGET', KEYS[1], '#')
if not state then return 'unknown' end
redis.call('HSET', KEYS[1], '#', state)
return 'touched'
