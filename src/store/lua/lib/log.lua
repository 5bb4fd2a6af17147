-- log: an append-only list and its meta hash (epoch, first, last, mark). Entry `seq` stands at index seq - first.
-- An entry is one string, `origin note json`: the session that sent it or '-'; a word whose meaning is the
-- log's own (idempotency key, or count received); the message exactly as it goes out to readers.
-- `mark` is the end of the newest message's id: it tells whether position `seq` still holds what it held.
local ENTRY = '^(%S+) (%S+) {"id":"([^"]+)"'

local function mark(id) return string.sub(id, -8) end

-- Answers epoch, first, last and the mark of the entry at last ('-' when there is none).
local function open(meta, epoch)
  local m = redis.call('HMGET', meta, 'epoch', 'first', 'last', 'mark')
  if not m[1] then return epoch, 1, 0, '-' end
  return m[1], tonumber(m[2]), tonumber(m[3]), m[4]
end

-- Whoever hears this can tell whether the entry continues what they have: it names the one before by its mark.
local function wake(channel, epoch, seq, before, entry)
  redis.call('PUBLISH', channel, 'entry ' .. epoch .. ' ' .. seq .. ' ' .. before .. ' ' .. entry)
end

-- Drops what is over `limit`, at most 100 entries a call so that a lowered limit never blocks Redis;
-- forget(note, id) removes what else is kept of an entry. Answers the new `first`.
local function trim(list, first, last, limit, forget)
  local stop = math.min(last - limit, first + 99)
  while first <= stop do
    local _, note, id = string.match(redis.call('LPOP', list), ENTRY)
    forget(note, id)
    first = first + 1
  end
  return first
end
