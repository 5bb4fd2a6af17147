-- conversations: the conversations of an account, newest first, as a linked list in one hash: moving one to the front
-- costs the same however many there are, and a page costs only its own size.
--   other  'at newer older': when they last talked (epoch ms), made unique, so it falls along the list; '-' = no neighbour
--   #      'newest oldest linked': both ends, and how many are in the list
-- A bare number was written by a release without the list. It is older than all linked ones; conversations-link.lua
-- links it.
local NODE = '^(%-?%d+) (%S+) (%S+)$'

local function node(hash, other)
  local at, newer, older = string.match(redis.call('HGET', hash, other) or '', NODE)
  return tonumber(at), newer, older
end

local function write(hash, other, at, newer, older)
  redis.call('HSET', hash, other, at .. ' ' .. newer .. ' ' .. older)
end

-- Returns newest, oldest, linked.
local function ends(text)
  local newest, oldest, linked = string.match(text or '- - 0', '^(%S+) (%S+) (%d+)$')
  return newest, oldest, tonumber(linked)
end

-- Move a conversation to the front, or add it there. One already in front is left unchanged: its place is newer than
-- all others.
local function promote(hash, other, now)
  local text = redis.call('HGET', hash, '#')
  if text and string.sub(text, 1, #other + 1) == other .. ' ' then return end
  local newest, oldest, linked = ends(text)
  local _, newer, older = node(hash, other)
  if not newer then newer, older, linked = '-', '-', linked + 1 end
  local near = redis.call('HMGET', hash, newest, newer, older)
  local changed = {}
  local function put(name, at, itsNewer, itsOlder)
    changed[#changed + 1] = name
    changed[#changed + 1] = at .. ' ' .. itsNewer .. ' ' .. itsOlder
  end
  local firstAt, _, firstOlder = string.match(near[1] or '', NODE)
  if newer == newest then firstOlder = older end
  if firstAt then put(newest, firstAt, other, firstOlder) end
  if newer ~= '-' and newer ~= newest then
    local at, itsNewer = string.match(near[2], NODE)
    put(newer, at, itsNewer, older)
  end
  if older ~= '-' then
    local at, _, itsOlder = string.match(near[3], NODE)
    put(older, at, newer, itsOlder)
  end
  if other == oldest then oldest = newer elseif oldest == '-' then oldest = other end
  put(other, math.max(now, (tonumber(firstAt) or 0) + 1), '-', newest)
  redis.call('HSET', hash, '#', other .. ' ' .. oldest .. ' ' .. linked, unpack(changed))
end
