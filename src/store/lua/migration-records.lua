-- use: entry inbox
-- Write the records of some channels of a converted inbox.
-- KEYS  1 hash
-- ARGV  channel, at, newer, older, seq, mark, unread, bytes, from, last, isFriend (0 or 1), isHeavy (0 or 1), …
-- Replies 'written'
for i = 1, #ARGV, 12 do
  local v = { unpack(ARGV, i, i + 11) }
  for _, at in ipairs({ 2, 5, 7, 8, 9, 10 }) do v[at] = tonumber(v[at]) end
  redis.call('HSET', KEYS[1], v[1], packRecord({
    at = v[2], newer = v[3], older = v[4], seq = v[5], mark = v[6], unread = v[7], bytes = v[8], from = v[9], last = v[10],
    isFriend = v[11] == '1', isHeavy = v[12] == '1',
  }))
end
return 'written'
