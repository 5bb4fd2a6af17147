-- Display names of accounts. One script for all of them: a command for each takes twice as long.
-- KEYS  the accounts
-- Replies the names, in the order of the keys; '' where there is none
local names = {}
for i, account in ipairs(KEYS) do names[i] = redis.call('HGET', account, 'displayName') or '' end
return names
