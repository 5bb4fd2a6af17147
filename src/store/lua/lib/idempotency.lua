-- idempotency: the entry stored under an idempotency key, or nil. It exists as long as its message does.
local function storedUnder(list, meta, keys, key)
  local seq = key ~= '-' and redis.call('HGET', keys, key)
  if not seq then return nil end
  return redis.call('LINDEX', list, tonumber(seq) - tonumber(redis.call('HGET', meta, 'first')))
end
