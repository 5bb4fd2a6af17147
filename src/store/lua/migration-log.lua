-- Put a converted channel log in the place of the earlier one, and count what each member has stored. Does nothing if another
-- node has done so.
-- KEYS  1 converted list  2 list  3 hash  4 earlier list  5 earlier meta  6 earlier idempotency keys  7 bytes stored per account
-- ARGV  1 epoch  2 mark  3 first  4 last  5 bytes  6… account, bytes, …
-- Replies 'moved' | 'gone': there is no earlier log
if redis.call('EXISTS', KEYS[5]) == 0 then
  redis.call('DEL', KEYS[1])
  return 'gone'
end
local list, hash = KEYS[2], KEYS[3]
if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('RENAME', KEYS[1], list) end
local number = tonumber
redis.call('HSET', hash, '#',
  cmsgpack.pack(ARGV[1], ARGV[2], number(ARGV[3]), number(ARGV[4]), number(ARGV[5]), number(ARGV[4])))
local keys = redis.call('HGETALL', KEYS[6])
for i = 1, #keys, 2 do redis.call('HSET', hash, keys[i], keys[i + 1]) end
for i = 6, #ARGV, 2 do redis.call('HINCRBY', KEYS[7], ARGV[i], ARGV[i + 1]) end
redis.call('DEL', KEYS[4], KEYS[5], KEYS[6])
return 'moved'
