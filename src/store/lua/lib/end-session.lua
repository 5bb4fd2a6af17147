-- end-session: end a session. Its refresh token stops working; its access tokens are valid until session-revoke has run. The
-- session remains, with endedUntil as its only field, until that has happened or its last access token has expired, so that
-- any node that finds it can take the second step. Returns endedUntil (epoch ms).
local function endSession(session, endedUntil, ms)
  local before = redis.call('HGET', session, 'endedUntil')
  if before then return before end
  redis.call('DEL', session)
  redis.call('HSET', session, 'endedUntil', endedUntil)
  redis.call('PEXPIRE', session, ms)
  return endedUntil
end
