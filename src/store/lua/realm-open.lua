-- Return the realm: the id of this database, which is set if there is none. Every channel's name contains it, because the databases
-- of a server share their channels. Succeeds only where this node can read, write and publish.
-- KEYS  1 realm
-- ARGV  1 id for a database that has none  2 channel  3 version of its data, if it is known to hold nothing else, or ''
-- Replies id of the database
local id = redis.call('HGET', KEYS[1], 'id')
if not id then
  id = ARGV[1]
  redis.call('HSET', KEYS[1], 'id', id)
  if ARGV[3] ~= '' then redis.call('HSET', KEYS[1], 'version', ARGV[3]) end
end
redis.call('HDEL', KEYS[1], '-') -- a write that a replica rejects, but a server whose memory is full does not
redis.call('SPUBLISH', ARGV[2], '')
return id
