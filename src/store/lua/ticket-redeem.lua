-- Redeem a ticket: a second attempt finds nothing.
-- KEYS  1 ticket
-- Replies {username, sid, expiresAtMs} | {} (unknown, used or expired)
local ticket = redis.call('HMGET', KEYS[1], 'username', 'sid', 'expiresAtMs')
if redis.call('DEL', KEYS[1]) == 0 then return {} end
return ticket
