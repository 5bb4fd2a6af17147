-- use: entry inbox
-- Put a converted inbox in the place of the earlier one. Its records are written. Does nothing if another record has done so.
-- KEYS  1 converted list  2 list  3 converted hash  4 hash  5 heavy  6 earlier meta  7… other keys of the earlier form
-- ARGV  1 the state as an object in JSON  2… heavy channels
-- Replies 'moved' | 'gone': there is no earlier inbox
if redis.call('EXISTS', KEYS[6]) == 0 then
  redis.call('DEL', KEYS[1], KEYS[3])
  return 'gone'
end
if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('RENAME', KEYS[1], KEYS[2]) end
local box = unpackState(nil)
for name, value in pairs(cjson.decode(ARGV[1])) do box[name] = value end
redis.call('HSET', KEYS[3], '#', packState(box))
redis.call('RENAME', KEYS[3], KEYS[4])
for i = 2, #ARGV do redis.call('HSET', KEYS[5], ARGV[i], '') end
redis.call('DEL', unpack(KEYS, 6))
return 'moved'
