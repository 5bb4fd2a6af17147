-- sender-quota: limits the bytes an account has stored as the sender of direct messages. At the limit, a new message removes
-- the oldest entries of its own channel, twice its size, so that space for other channels is freed too.
-- Examines at most 100 entries. Returns how many entries to remove, or nil if they do not free enough.
local function payment(log, name, size)
  local list = log.list
  local freed, count = 0, 0
  while freed < 2 * size and count < math.min(100, log.last - log.first + 1) do
    local entry = redis.call('LINDEX', list, count)
    count = count + 1
    if entry and select(7, string.match(entry, ENTRY)) == name then freed = freed + #entry end
  end
  return freed >= size and count or nil
end
