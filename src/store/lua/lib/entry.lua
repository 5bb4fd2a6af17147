-- entry: how logs store an entry; store/log/entry.ts is its twin, and test/unit/store/entry-vectors.ts has the cases for both.
--   channel log   1m id seq count origin key from json
--   inbox         channel received 1m id seq count origin key from json
-- 1: version of the form. m: type, `m` message or `t` tombstone (its message was evicted; it keeps its place). id: UUID in
-- base64url. seq, count: position in the channel's log, and how many messages the channel had up to it (not read yet: for unread
-- counts in channels whose entries are not all messages). origin: the session
-- that sent it, or '-'. key: digest of the idempotency key, or '-'. json: the rest of the message, an object. received: how
-- many messages from others the inbox had received up to it. All words before json mean the same in every version.
local ENTRY = '%d+(%a+) (%S+) (%d+) (%d+) (%S+) (%S+) (%S+) '
local LINE = '^(%S+) (%d+) ' .. ENTRY

-- Format an integer for storage. Lua's default formatting prints 14 or 17 digits as a fraction; `%d` has 32 bits in WebAssembly.
local function int(number) return string.format('%.0f', number) end

-- The end of an id: shows whether the entry at a position is still the same.
local function mark(id) return string.sub(id, -6) end

-- place: 'id seq count'; rest: 'from json'.
local function encode(place, origin, key, rest) return '1m ' .. place .. ' ' .. origin .. ' ' .. key .. ' ' .. rest end

local function tombstone(channel, received, id, seq, count)
  return string.format('%s %s 1t %s %s %s - - - {}', channel, received, id, seq, count)
end

-- The time of an id, a UUID of version 7, in epoch ms: its first 48 bits.
local DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
local function timeOf(id)
  local ms = 0
  for at = 1, 8 do ms = ms * 64 + string.find(DIGITS, string.sub(id, at, at), 1, true) - 1 end
  return ms
end
