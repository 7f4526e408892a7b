-- The algorithms whose state is more than numbers: the sliding log, a Redis list of its entries, oldest first, each two
-- little-endian doubles (instant, units); and permits, a sorted set of "units:id" by the instant at which they end,
-- those of several units with "0:id" beside them.
-- limit.renewed says that such a key may be new, and so have no expiry. Stands between algorithms.lua and transact.lua.
-- Twin of algorithms/{sliding-log,concurrency}.ts.

-- How many entries are read at a time.
local CHUNK = 32

local function slidingLog(capacity, window)
  return { kind = 'sl', capacity = capacity, window = window }
end

local function readEntry(text)
  local instant, units = unpackNumbers('<dd', text)
  return instant, units
end

local function writeEntry(instant, units) return pack('<dd', instant, units) end

-- Calls work(instant, units, index) for the entries from the oldest on until it returns true.
local function eachOldest(key, work)
  local from = 0
  while true do
    local list = call('LRANGE', key, from, from + CHUNK - 1)
    for i = 1, #list do
      local instant, units = readEntry(list[i])
      if work(instant, units, from + i - 1) then return end
    end
    if #list < CHUNK then return end
    from = from + CHUNK
  end
end

-- Removes a key that is there. To remove one that is not is a write all the same, after which a Redis that is full lets
-- a script write on, so that ever new keys would fill it further.
local function drop(key)
  if call('EXISTS', key) == 1 then call('DEL', key) end
end

local function clearLog(limit, s, at, instant, units)
  drop(limit.entries)
  if units > 0 then
    call('RPUSH', limit.entries, writeEntry(instant, units))
    limit.renewed = true
  else
    instant = 0
  end
  s[at], s[at + 1], s[at + 2] = units, instant, instant
end

local function pushEntry(limit, s, at, units)
  local instant, key = max(now, s[at + 1]), limit.entries
  local newest = s[at] > 0 and s[at + 1] == instant and call('LINDEX', key, -1)
  if newest then
    local _, there = readEntry(newest)
    call('LSET', key, -1, writeEntry(instant, there + units))
  else
    call('RPUSH', key, writeEntry(instant, units))
    limit.renewed = true
    if s[at] == 0 then s[at + 2] = instant end
  end
  s[at], s[at + 1] = s[at] + units, instant
end

function MAKE.sl()
  return {
    width = 3,
    mark = 1,
    advance = function(limit, s, at)
      if s[at] == 0 then return end
      local key, window = limit.entries, limit.window
      if s[at + 1] - now > window then clearLog(limit, s, at, now, s[at]) end
      if now - s[at + 2] < window then return end
      if now - s[at + 1] >= window then
        clearLog(limit, s, at, 0, 0)
        return
      end
      local dropped, used, oldest = 0, s[at], 0
      eachOldest(key, function(instant, units)
        if now - instant < window then
          oldest = instant
          return true
        end
        dropped, used = dropped + 1, used - units
      end)
      if oldest == 0 then
        -- The list is gone, which Redis may have evicted by itself.
        clearLog(limit, s, at, 0, 0)
        return
      end
      call('LTRIM', key, dropped, -1)
      s[at], s[at + 2] = used, oldest
    end,
    wait = function(limit, s, at, cost)
      if cost > limit.capacity then return NEVER end
      local missing = s[at] + cost - limit.capacity
      if cost == 0 or missing <= 0 then return 0 end
      local free = s[at + 2]
      if missing > 1 then
        eachOldest(limit.entries, function(instant, units)
          free, missing = instant, missing - units
          return missing <= 0
        end)
      end
      return free + limit.window - now
    end,
    take = pushEntry,
    charge = function(limit, s, at, units)
      local charged = min(units, 2 * limit.capacity - s[at])
      if charged <= 0 then return end
      local key = limit.entries
      if call('LLEN', key) > limit.capacity then
        local instant, there = readEntry(call('LINDEX', key, -1))
        local later = max(now, instant)
        call('LSET', key, -1, writeEntry(later, there))
        s[at + 1] = later
      end
      pushEntry(limit, s, at, charged)
    end,
    give = function(limit, s, at, units, takenAt)
      local key, left, index = limit.entries, units, -1
      while left > 0 and s[at] > 0 do
        local text = call('LINDEX', key, index)
        if not text then break end
        local instant, there = readEntry(text)
        if takenAt == NEVER or instant == takenAt then
          local given = min(left, there)
          left, s[at] = left - given, s[at] - given
          if given < there then
            call('LSET', key, index, writeEntry(instant, there - given))
          elseif index == -1 then
            call('RPOP', key)
          else
            call('LSET', key, index, 'given')
            call('LREM', key, -1, 'given')
          end
          if takenAt ~= NEVER then break end
        elseif instant < takenAt then
          break
        else
          index = index - 1
        end
      end
      local oldest, newest = call('LINDEX', key, 0), call('LINDEX', key, -1)
      s[at + 1] = newest and readEntry(newest) or 0
      s[at + 2] = oldest and readEntry(oldest) or 0
    end,
    consumed = function(_, s, at) return s[at] end,
    reset = function(limit, s, at)
      if s[at] > 0 then return s[at + 1] + limit.window - now end
      return 0
    end,
    assume = function(limit, s, at, units) clearLog(limit, s, at, now, units) end,
  }
end

----------------------------------------------------------------------------------------------------- concurrency

local function concurrency(capacity, lease)
  return { kind = 'cc', capacity = capacity, lease = lease }
end

local function score(instant) return string.format('%.0f', instant) end

local function unitsOf(member) return tonumber(string.match(member, '^(%d+):')) end

-- Reads anew when the first and the last permit end.
local function settleEnds(limit, s, at)
  local key = limit.entries
  local first = call('ZRANGE', key, 0, 0, 'WITHSCORES')
  local last = call('ZREVRANGE', key, 0, 0, 'WITHSCORES')
  s[at + 1], s[at + 2] = tonumber(first[2] or 0), tonumber(last[2] or 0)
  if not first[2] then s[at] = 0 end
  if s[at] == 0 then s[at + 3] = 0 end
end

-- Finds the member of a permit. Most hold one unit; one that holds more has a second member, of none, so that all that
-- are held are looked through only where there is one to be found.
local function memberOf(limit, s, at, id)
  local key, single = limit.entries, '1:' .. id
  if s[at] == 0 then return nil end
  if call('ZSCORE', key, single) then return single end
  if not call('ZSCORE', key, '0:' .. id) then return nil end
  local members = call('ZRANGE', key, 0, -1)
  for i = 1, #members do
    local units, own = string.match(members[i], '^(%d+):(.*)$')
    if own == id and units ~= '0' then return members[i] end
  end
  return nil
end

local function addMember(key, ends, member, id)
  call('ZADD', key, score(ends), member)
  if string.sub(member, 1, 2) ~= '1:' then call('ZADD', key, score(ends), '0:' .. id) end
end

function MAKE.cc()
  return {
    width = 4,
    advance = function(limit, s, at)
      if s[at] == 0 then return end
      local key = limit.entries
      local latest = now + s[at + 3]
      if s[at + 2] > latest then
        local late = call('ZRANGEBYSCORE', key, '(' .. score(latest), '+inf')
        for i = 1, #late do call('ZADD', key, score(latest), late[i]) end
        settleEnds(limit, s, at)
      end
      if now < s[at + 1] then return end
      local ended = call('ZRANGEBYSCORE', key, '-inf', score(now))
      for i = 1, #ended do s[at] = s[at] - unitsOf(ended[i]) end
      call('ZREMRANGEBYSCORE', key, '-inf', score(now))
      settleEnds(limit, s, at)
    end,
    wait = function(limit, s, at, cost)
      if cost > limit.capacity then return NEVER end
      local missing = s[at] + cost - limit.capacity
      if cost == 0 or missing <= 0 then return 0 end
      if missing == 1 then return s[at + 1] - now end
      local from, held = 0, nil
      repeat
        held = call('ZRANGE', limit.entries, from, from + CHUNK - 1, 'WITHSCORES')
        for i = 1, #held, 2 do
          missing = missing - unitsOf(held[i])
          if missing <= 0 then return tonumber(held[i + 1]) - now end
        end
        from = from + CHUNK
      until #held < 2 * CHUNK
      return NEVER
    end,
    take = function(limit, s, at, units, permit)
      local ends = now + limit.lease
      addMember(limit.entries, ends, string.format('%d:', units) .. permit, permit)
      limit.renewed = true
      if s[at] == 0 then s[at + 1] = ends else s[at + 1] = min(s[at + 1], ends) end
      s[at], s[at + 2], s[at + 3] = s[at] + units, max(s[at + 2], ends), max(s[at + 3], limit.lease)
    end,
    charge = function() end,
    give = function() end,
    consumed = function(_, s, at) return s[at] end,
    reset = function(_, s, at)
      if s[at] > 0 then return s[at + 2] - now end
      return 0
    end,
    assume = function(limit, s, at)
      drop(limit.entries)
      s[at], s[at + 1], s[at + 2], s[at + 3] = 0, 0, 0, 0
    end,
    find = function(limit, s, at, id)
      local member = memberOf(limit, s, at, id)
      if not member then return nil end
      return unitsOf(member), tonumber(call('ZSCORE', limit.entries, member))
    end,
    release = function(limit, s, at, id)
      local member = memberOf(limit, s, at, id)
      if not member then return false end
      call('ZREM', limit.entries, member, '0:' .. id)
      s[at] = s[at] - unitsOf(member)
      settleEnds(limit, s, at)
      return true
    end,
    extend = function(limit, s, at, id)
      local member = memberOf(limit, s, at, id)
      if not member then return false end
      addMember(limit.entries, now + limit.lease, member, id)
      s[at + 3] = max(s[at + 3], limit.lease)
      settleEnds(limit, s, at)
      return true
    end,
  }
end
