-- revoke: end a session now, on every node: its access tokens are refused until the last of them has expired.
-- Field '#' counts changes, so that a node can see cheaply whether its copy of the hash is whole.
local function revoke(session, sessions, revoked, channel, sid, deadAt)
  redis.call('DEL', session)
  redis.call('HDEL', sessions, sid)
  redis.call('HSET', revoked, sid, deadAt)
  redis.call('HINCRBY', revoked, '#', 1)
  redis.call('PUBLISH', channel, sid .. ' ' .. deadAt)
end
