-- revoke: end a session immediately on every node: its access tokens are rejected until the last one expires. Field '#'
-- counts changes, so that a node can cheaply check whether its copy of the hash is complete.
local function revoke(session, sessions, revoked, channel, sid, tokensExpireAt)
  redis.call('DEL', session)
  redis.call('HDEL', sessions, sid)
  redis.call('HSET', revoked, sid, tokensExpireAt)
  redis.call('HINCRBY', revoked, '#', 1)
  redis.call('SPUBLISH', channel, sid .. ' ' .. tokensExpireAt)
end
