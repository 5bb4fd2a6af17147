-- inbox-counters: the counters of an inbox, packed into one field of its meta.
--   first, last    of the log                    acked      acknowledged up to this position
--   received       messages of others, ever: the note of an entry is this count up to it
--   read           note at acked                 dropped    note at the newest entry that was trimmed
--   unread         entries waiting               bytes      of all entries
--   evicted        entries that are tombstones   evictedAt  seq of the newest tombstone
--   strangers, strangerBytes: of `unread`, what strangers sent
--   stored         bytes that the conversations hold of what the account sent
local COUNTERS = { 'first', 'last', 'acked', 'received', 'read', 'dropped', 'unread', 'bytes', 'evicted', 'evictedAt',
  'strangers', 'strangerBytes', 'stored' }

local packCounters = cmsgpack.pack

local function isUncounted(meta)
  local m = redis.call('HMGET', meta, 'epoch', 'counters')
  return m[1] and not m[2]
end

-- Returns the counters in the order of COUNTERS; those of an empty inbox if there are none.
local function unpackCounters(packed)
  if not packed then return 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 end
  return cmsgpack.unpack(packed)
end

-- All fields of a log's meta, including the counters of an inbox: {field, value, …}.
local function fieldsOf(meta)
  local fields = redis.call('HGETALL', meta)
  for i = 1, #fields, 2 do
    if fields[i] == 'counters' then
      for at, value in ipairs({ unpackCounters(fields[i + 1]) }) do
        fields[#fields + 1] = COUNTERS[at]
        fields[#fields + 1] = string.format('%d', value)
      end
      break
    end
  end
  return fields
end
