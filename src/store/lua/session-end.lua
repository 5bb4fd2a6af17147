-- use: revoke
-- End a session.
-- KEYS  1 session  2 revoked  3 sessions of the account
-- ARGV  1 channel  2 sid  3 epoch ms at which its last access token expires
-- Replies 'ended'
revoke(KEYS[1], KEYS[3], KEYS[2], ARGV[1], ARGV[2], ARGV[3])
return 'ended'
