-- use: clock bucket
-- Check all buckets, and only if none is empty take one token from each of the first. A rejected attempt writes
-- nothing.
-- KEYS  buckets: first those to take from, then those that must not be empty
-- ARGV  1 how many to take from; then for each key: allowed, in how many ms
-- Replies ms to wait, 0 = go ahead
local now = clock()
local wait = 0
for i, key in ipairs(KEYS) do
  wait = math.max(wait, waitFor(key, tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1]), now))
end
if wait > 0 then return wait end
for i = 1, tonumber(ARGV[1]) do
  change(KEYS[i], each(tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])), now)
end
return 0
