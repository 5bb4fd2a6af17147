-- use: clock bucket
-- What was tried turned out to be none of what the first buckets are there for, but of what the others are.
-- KEYS  buckets: first those to give one back to, then those to take one from, though they may be empty
-- ARGV  1 how many to give back to; then for each key: allowed, in how many ms
-- Replies 'settled'
local now = clock()
for i, key in ipairs(KEYS) do
  local ms = each(tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1]))
  change(key, i <= tonumber(ARGV[1]) and -ms or ms, now)
end
return 'settled'
