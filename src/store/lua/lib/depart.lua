-- depart: remove a set of nodes from an account's presence. Returns whether that changed it, and whether no node is left:
-- the account went offline.
local function depart(shard, username, departed)
  local value = redis.call('HGET', shard, username)
  if not value then return false, false end
  local remaining, nodes, isChanged = nil, 0, false
  for word in string.gmatch(value, '%S+') do
    if not remaining then remaining = word -- since
    elseif departed[word] then isChanged = true
    else remaining, nodes = remaining .. ' ' .. word, nodes + 1 end
  end
  if not isChanged then return false, false end
  if nodes > 0 then redis.call('HSET', shard, username, remaining)
  else redis.call('HDEL', shard, username) end
  return true, nodes == 0
end
