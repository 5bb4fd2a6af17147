-- depart: remove a set of nodes from an account's presence. Returns true if none is left: the account went offline.
local function depart(shard, username, value, departed, channel)
  local remaining, nodes, changed = nil, 0, false
  for word in string.gmatch(value, '%S+') do
    if not remaining then remaining = word -- since
    elseif departed[word] then changed = true
    else remaining, nodes = remaining .. ' ' .. word, nodes + 1 end
  end
  if not changed then return false end
  if nodes > 0 then
    redis.call('HSET', shard, username, remaining)
    return false
  end
  redis.call('HDEL', shard, username)
  redis.call('SPUBLISH', channel, '-' .. username)
  return true
end
