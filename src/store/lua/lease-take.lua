-- Take, renew or give up a lease: the right to do what only one node should do at a time.
-- KEYS  1 lease
-- ARGV  1 node id  2 ms until it expires; 0 gives it up
-- Replies 1 if the node has the lease | 0
local owner = redis.call('HGET', KEYS[1], 'owner')
if owner and owner ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then
  redis.call('DEL', KEYS[1])
  return 0
end
if not owner then redis.call('HSET', KEYS[1], 'owner', ARGV[1]) end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
