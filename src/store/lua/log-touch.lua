-- Write the meta of a log as it is: a WAIT that follows then waits for everything that was written before, by any node.
-- KEYS  1 meta
-- Replies 'touched' | 'unknown': there is no such log
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if not epoch then return 'unknown' end
redis.call('HSET', KEYS[1], 'epoch', epoch)
return 'touched'
