-- use: clock bucket
-- Refund an attempt to the first buckets, and charge it to the others (e.g. after a successful login).
-- KEYS  buckets: first those to refund, then those to charge, even if they are empty
-- ARGV  1 how many to refund; then for each key: allowed, in how many ms
-- Replies 'settled'
local now = clock()
for i, key in ipairs(KEYS) do
  local ms = each(tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1]))
  change(key, i <= tonumber(ARGV[1]) and -ms or ms, now)
end
return 'settled'
