-- inbox: one account's inbox, with everything that is counted about it. A counter changes in the script that changes
-- what it counts; `counted` names the `last` and `acked` for which all of them are true. If it names something else, a
-- release without counters has written, and recount.lua must run first.
--   meta     received  messages of others, ever: the note of an entry is this count up to it
--            acked     position up to which all is acknowledged          read     note at acked
--            dropped   note at the newest entry that was trimmed         unread   entries waiting
--            bytes     of all entries                                    stored   of what the account sent, see direct.lua
--   mail     seq → 'size next sender' of an unread entry; next: the same sender's next one, or 0
--   senders  sender → 'unread bytes oldest newest size group' of those with unread mail; size is the newest entry's;
--            group f: a friend, whom the account has written to; s: a stranger
--   friends  whom the account has ever written to
local FROM = '^%S+ %S+ {"id":"[^"]+","kind":"dm","from":"([^"]+)"'
local TO = '^%S+ %S+ {"id":"[^"]+","kind":"dm","from":"[^"]+","to":"([^"]+)"'

local function inbox(list, meta, ids, senders, mail, friends)
  local m = redis.call('HMGET', meta, 'epoch', 'first', 'last', 'mark', 'received', 'read', 'dropped', 'acked',
    'counted', 'unread', 'bytes', 'stored')
  local last, acked = m[3] or '0', m[8] or '0'
  return {
    list = list, meta = meta, ids = ids, senders = senders, mail = mail, friends = friends,
    epoch = m[1], first = tonumber(m[2] or 1), last = tonumber(last), mark = m[4] or '-',
    received = tonumber(m[5] or 0), read = tonumber(m[6] or 0), dropped = tonumber(m[7] or 0), acked = tonumber(acked),
    isCounted = not m[1] or m[9] == last .. ' ' .. acked,
    unread = tonumber(m[10] or 0), bytes = tonumber(m[11] or 0), stored = tonumber(m[12] or 0),
  }
end

local function save(box)
  local meta = box.meta
  redis.call('HSET', meta, 'epoch', box.epoch, 'first', box.first, 'last', box.last, 'mark', box.mark,
    'received', box.received, 'read', box.read, 'dropped', box.dropped, 'acked', box.acked,
    'counted', box.last .. ' ' .. box.acked, 'unread', box.unread, 'bytes', box.bytes)
end

local function parse(value)
  local unread, bytes, oldest, newest, size, group = string.match(value, '^(%d+) (%d+) (%d+) (%d+) (%d+) (%a)$')
  return {
    unread = tonumber(unread), bytes = tonumber(bytes), oldest = tonumber(oldest), newest = tonumber(newest),
    size = tonumber(size), group = group,
  }
end

-- What a sender has waiting here.
local function waiting(box, name)
  local senders, friends = box.senders, box.friends
  local value = redis.call('HGET', senders, name)
  if value then return parse(value) end
  local group = redis.call('HEXISTS', friends, name) == 1 and 'f' or 's'
  return { unread = 0, bytes = 0, oldest = 0, newest = 0, size = 0, group = group }
end

local function keep(box, name, of)
  local senders = box.senders
  if of.unread == 0 then
    redis.call('HDEL', senders, name)
  else
    redis.call('HSET', senders, name, of.unread .. ' ' .. of.bytes .. ' ' .. of.oldest .. ' ' .. of.newest .. ' '
      .. of.size .. ' ' .. of.group)
  end
end

-- The entry at seq waits from now on; `of` is waiting(box, name).
local function receive(box, seq, size, name, of)
  local mail = box.mail
  if of.unread == 0 then
    of.oldest = seq
    redis.call('HSET', mail, seq, size .. ' 0 ' .. name)
  else
    redis.call('HSET', mail, of.newest, of.size .. ' ' .. seq .. ' ' .. name, seq, size .. ' 0 ' .. name)
  end
  of.unread, of.bytes, of.newest, of.size = of.unread + 1, of.bytes + size, seq, size
  keep(box, name, of)
  box.unread = box.unread + 1
end

-- The oldest entry of a sender waits no more: whatever takes it away takes it in this order.
local function release(box, of, size, next)
  of.unread, of.bytes, of.oldest = of.unread - 1, of.bytes - size, next
  box.unread = box.unread - 1
end

-- The account has written to them.
local function befriend(box, name)
  local friends, senders = box.friends, box.senders
  if redis.call('HSETNX', friends, name, '') == 0 then return end
  local value = redis.call('HGET', senders, name)
  if not value then return end
  local of = parse(value)
  of.group = 'f'
  keep(box, name, of)
end
