-- slice: the entries of a list from index `from` towards `to` (step 1 or -1), as many as fit into `bytes` but at least
-- `least`; oldest first. Reads in growing chunks, sized by the entries seen so far, so that little more is read than
-- returned.
local function slice(list, from, to, step, bytes, least)
  local entries, size, chunk, at = {}, 0, 4, from
  local remaining = (to - from) * step + 1
  while remaining > 0 do
    local some = math.min(chunk, remaining)
    local ends = at + step * (some - 1)
    local read = redis.call('LRANGE', list, math.min(at, ends), math.max(at, ends))
    if #read == 0 then break end
    for i = 1, #read do
      local entry = step > 0 and read[i] or read[#read + 1 - i]
      if size + #entry > bytes and #entries >= least then remaining = 0 break end
      entries[#entries + 1], size = entry, size + #entry
    end
    at, remaining = at + step * some, remaining - some
    chunk = math.max(1, math.min(chunk * 2, 64, math.ceil((bytes - size) * #entries / size)))
  end
  if step < 0 then
    for i = 1, math.floor(#entries / 2) do entries[i], entries[#entries + 1 - i] = entries[#entries + 1 - i], entries[i] end
  end
  return entries
end
