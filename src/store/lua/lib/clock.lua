-- clock: Redis' time in epoch milliseconds, the one clock that all nodes share.
local function clock()
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
end
