-- quota: what an account has stored as the sender of direct messages is bounded. At the bound a message is paid with the
-- oldest entries of its own conversation, by twice its size, so that room for another conversation comes back. Looks at no
-- more than 100 entries.
-- Answers how many entries must go, or nil where they do not make room.
local function payment(log, name, size)
  local list = log.list
  local freed, count = 0, 0
  while freed < 2 * size and count < math.min(100, log.last - log.first + 1) do
    local entry = redis.call('LINDEX', list, count)
    count = count + 1
    if string.match(entry, FROM) == name then freed = freed + #entry end
  end
  return freed >= size and count or nil
end
