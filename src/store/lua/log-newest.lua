-- The newest entry of each of several logs. Stops before exceeding the byte limit, but returns at least one.
-- KEYS  the lists
-- ARGV  1 bytes
-- Replies {entry, …}, one for each key until the end; '' where there is none
local entries, left = {}, tonumber(ARGV[1])
for _, list in ipairs(KEYS) do
  local entry = redis.call('LINDEX', list, -1) or ''
  left = left - #entry
  if left < 0 and #entries > 0 then break end
  entries[#entries + 1] = entry
end
return entries
