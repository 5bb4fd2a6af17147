-- use: end-session
-- End a session: the first of three steps, see lib/end-session.lua.
-- KEYS  1 session
-- ARGV  1 epoch ms at which its last access token expires  2 ms until then
-- Replies that time; an earlier one if the session has ended before
return endSession(KEYS[1], ARGV[1], ARGV[2])
