-- conversations: whom an account has talked with, newest first: a linked list inside one hash, so that moving one to the
-- front costs the same however many there are, and a page costs what it holds.
--   other  'at newer older': when they last talked (epoch ms), made unique, so it falls along the list; '-' = no neighbour
--   #      'newest oldest linked': both ends, and how many are in the list
-- A bare number was written by a release that had no list. It is older than all that is linked; adopt.lua links it.
local NODE = '^(%-?%d+) (%S+) (%S+)$'

local function node(hash, other)
  local at, newer, older = string.match(redis.call('HGET', hash, other) or '', NODE)
  return tonumber(at), newer, older
end

local function write(hash, other, at, newer, older)
  redis.call('HSET', hash, other, at .. ' ' .. newer .. ' ' .. older)
end

-- Answers newest, oldest, linked.
local function ends(text)
  local newest, oldest, linked = string.match(text or '- - 0', '^(%S+) (%S+) (%d+)$')
  return newest, oldest, tonumber(linked)
end

-- Move to the front, or put there, whom the account has talked with just now.
local function promote(hash, other, now)
  local found = redis.call('HMGET', hash, '#', other)
  local newest, oldest, linked = ends(found[1])
  local at, newer, older = string.match(found[2] or '', NODE)
  if newest == other then
    write(hash, other, math.max(now, tonumber(at)), '-', older)
    return
  end
  if newer then
    local nextAt, nextNewer = node(hash, newer)
    write(hash, newer, nextAt, nextNewer, older)
    if older == '-' then
      oldest = newer
    else
      local lastAt, _, lastOlder = node(hash, older)
      write(hash, older, lastAt, newer, lastOlder)
    end
  else
    linked = linked + 1
  end
  if newest == '-' then
    oldest = other
  else
    local firstAt, _, firstOlder = node(hash, newest)
    write(hash, newest, firstAt, other, firstOlder)
    now = math.max(now, firstAt + 1)
  end
  write(hash, other, now, '-', newest)
  redis.call('HSET', hash, '#', other .. ' ' .. oldest .. ' ' .. linked)
end
