-- The algorithms, on this server's clock, after prelude.lua: in transact.lua, and in the part of decide.lua that most
-- calls do without. Twin of algorithms/*.ts: the two are held equal by a differential test, so change both.
--
-- A limit is a table with its kind's numbers. Its state is a few numbers, in the order of the TypeScript twin; logs and
-- permits besides have a Redis key of their own: the policy key's, a colon, and the limit's place from 1.
-- A value is rules .. "|" .. the numbers of all limits as little-endian doubles. Every write carries an expiry.

-- Every kind has: width, advance(limit, s, at), wait(limit, s, at, cost) in microseconds,
-- take(limit, s, at, units, permit), charge(limit, s, at, units), give(limit, s, at, units, mark),
-- consumed(limit, s, at), reset(limit, s, at), lasting(limit, s, at) from the numbers alone,
-- assume(limit, s, at, units), and mark, if it is not the number at `at` that tells units just taken from others, how
-- far after it that is. give of a bucket returns how many microseconds earlier units return that were taken later.
-- s holds the numbers, of this limit from s[at] on; limit.entries is the key of a log or of permits.
-- Each is made when it is first asked for, since a call needs few of them and runs all that stands here.
local MAKE = {}
local KINDS = setmetatable({}, {
  __index = function(kinds, name)
    local kind = MAKE[name]()
    kinds[name] = kind
    return kind
  end,
})

---------------------------------------------------------------------------------------------------- token bucket

local function tokenBucket(capacity, period, units)
  local part = period % units
  local whole = (period - part) / units
  local exact = min(floor(MAX_EXACT / units), floor(MAX_FILL_US / (period / units)))
  return {
    kind = 'tb', capacity = capacity, period = period, units = units, whole = whole, part = part,
    unitsMax = max(capacity, exact),
  }
end

local function covers(limit, used, excess, part)
  local product = used * limit.part
  local usedPart = product % limit.units
  local usedUs = used * limit.whole + (product - usedPart) / limit.units
  return usedUs > excess or (usedUs == excess and usedPart >= part)
end

local function pushBucket(limit, s, at, units, ceiling)
  local a, b = s[at], s[at + 1]
  if a < now then a, b = now, 0 end
  local product = units * limit.part + b % limit.units
  local part = product % limit.units
  s[at] = a + units * limit.whole + (product - part) / limit.units
  s[at + 1] = ceiling * limit.units + part
end

function MAKE.tb()
  return {
    width = 2,
    advance = function(limit, s, at)
      local excess, b, units = s[at] - now, s[at + 1], limit.units
      if excess < 0 then return end
      local rest = b % units
      local ceiling = (b - rest) / units
      local product = ceiling * limit.part
      local part = product % units
      local most = ceiling * limit.whole + (product - part) / units
      if excess > most or (excess == most and rest > part) then
        s[at], s[at + 1] = now + most, ceiling * units + part
      end
    end,
    wait = function(limit, s, at, cost)
      local spare = limit.capacity - cost
      if spare < 0 then return NEVER end
      if cost == 0 then return 0 end
      local excess = s[at] - now
      if excess < 0 then return 0 end
      local product = spare * limit.part
      local sparePart = product % limit.units
      local spareUs = spare * limit.whole + (product - sparePart) / limit.units
      local more = 0
      if s[at + 1] % limit.units > sparePart then more = 1 end
      return max(excess - spareUs + more, 0)
    end,
    take = function(limit, s, at, units) pushBucket(limit, s, at, units, limit.capacity) end,
    charge = function(limit, s, at, units)
      local used = KINDS.tb.consumed(limit, s, at)
      local charged = min(units, min(2 * limit.capacity, limit.unitsMax) - used)
      if charged > 0 then pushBucket(limit, s, at, charged, max(limit.capacity, used + charged)) end
    end,
    give = function(limit, s, at, units, mark)
      if limit.queues then return end
      local given = min(units, limit.unitsMax)
      local product = given * limit.part
      local part = product % limit.units
      local whole = given * limit.whole + (product - part) / limit.units
      if whole >= mark - now then whole, part = max(mark - now, 0), 0 end
      local before, borrowed = max(s[at], now), 0
      if s[at + 1] % limit.units < part then borrowed = 1 end
      local tat = s[at] - whole - borrowed
      if tat < now then
        s[at], s[at + 1] = 0, 0
        return before > now and before - now + 1 or 0
      end
      s[at], s[at + 1] = tat, s[at + 1] + borrowed * limit.units - part
      return before - tat + (part > 0 and 1 or 0)
    end,
    consumed = function(limit, s, at)
      local excess, rest = s[at] - now, s[at + 1] % limit.units
      if excess < 0 then return 0 end
      if limit.part == 0 then return ceil(excess / limit.whole) end
      local used = ceil((excess + rest / limit.units) / (limit.period / limit.units))
      while not covers(limit, used, excess, rest) do used = used + 1 end
      while used > 0 and covers(limit, used - 1, excess, rest) do used = used - 1 end
      return used
    end,
    reset = function(limit, s, at)
      local excess = s[at] - now
      if excess < 0 then return 0 end
      if s[at + 1] % limit.units > 0 then return excess + 1 end
      return excess
    end,
    lasting = function(limit, s, at)
      KINDS.tb.advance(limit, s, at)
      return KINDS.tb.consumed(limit, s, at)
    end,
    assume = function(limit, s, at, units)
      local used = min(units, limit.unitsMax)
      local product = used * limit.part
      local part = product % limit.units
      s[at] = now + used * limit.whole + (product - part) / limit.units
      s[at + 1] = max(limit.capacity, used) * limit.units + part
    end,
  }
end

---------------------------------------------------------------------------------------------------- fixed window

local function fixedWindow(capacity, window)
  return { kind = 'fw', capacity = capacity, window = window }
end

local function chargeCount(limit, s, at, units)
  s[at + 1] = max(s[at + 1], min(s[at + 1] + units, 2 * limit.capacity))
end

local function giveCount(_, s, at, units, takenAt)
  if takenAt >= s[at] then s[at + 1] = max(s[at + 1] - units, 0) end
end

local function takeCount(_, s, at, units) s[at + 1] = s[at + 1] + units end
local function countOf(_, s, at) return s[at + 1] end

function MAKE.fw()
  return {
    width = 2,
    advance = function(limit, s, at)
      local start, window = s[at], limit.window
      if now >= start then
        if now - start >= window then s[at], s[at + 1] = now - now % window, 0 end
      elseif start - now > window or s[at + 1] == 0 then
        s[at] = now - now % window
      end
    end,
    wait = function(limit, s, at, cost)
      if cost > limit.capacity then return NEVER end
      if cost == 0 or s[at + 1] + cost <= limit.capacity then return 0 end
      return s[at] + limit.window - now
    end,
    take = takeCount,
    charge = chargeCount,
    give = giveCount,
    consumed = countOf,
    reset = function(limit, s, at)
      if s[at + 1] > 0 then return s[at] + limit.window - now end
      return 0
    end,
    lasting = function(limit, s, at)
      KINDS.fw.advance(limit, s, at)
      return s[at + 1]
    end,
    assume = function(limit, s, at, units) s[at], s[at + 1] = now - now % limit.window, units end,
  }
end

------------------------------------------------------------------------------------------------- calendar window

-- boundaries: start of the window before the one that the node believes it is, its start, its end, and the ends of the
-- two after it. Before a limit decides, holdsNow must have said that now is within.
local function calendarWindow(capacity, boundaries)
  return { kind = 'cw', capacity = capacity, boundaries = boundaries }
end

-- Finds the start and end of the window of now, and keeps them with the limit; false where now is outside of all.
local function holdsNow(limit)
  local boundaries = limit.boundaries
  for i = 1, 4 do
    if now >= boundaries[i] and now < boundaries[i + 1] then
      limit.start, limit.finish = boundaries[i], boundaries[i + 1]
      return true
    end
  end
  return false
end

function MAKE.cw()
  return {
    width = 3,
    advance = function(limit, s, at)
      local start = limit.start
      if s[at] == start then return end
      if s[at] == limit.finish and s[at + 1] > 0 then return end
      if s[at] < start then s[at + 1] = 0 end
      s[at], s[at + 2] = start, limit.finish
    end,
    wait = function(limit, s, at, cost)
      if cost > limit.capacity then return NEVER end
      if cost == 0 or s[at + 1] + cost <= limit.capacity then return 0 end
      return s[at + 2] - now
    end,
    take = takeCount,
    charge = chargeCount,
    give = giveCount,
    consumed = countOf,
    reset = function(_, s, at)
      if s[at + 1] > 0 then return s[at + 2] - now end
      return 0
    end,
    lasting = function(_, s, at)
      if now < s[at + 2] then return s[at + 1] end
      return 0
    end,
    assume = function(limit, s, at, units) s[at], s[at + 1], s[at + 2] = limit.start, units, limit.finish end,
  }
end

-------------------------------------------------------------------------------------------------- sliding window

local function slidingWindow(capacity, window)
  return { kind = 'sw', capacity = capacity, window = window }
end

local function weigh(limit, before, left) return min(ceil((before * left) / limit.window), before) end

local function leftFor(limit, before, spare)
  if before <= spare then return limit.window end
  local left = floor((spare / before) * limit.window)
  while weigh(limit, before, left) > spare do left = left - 1 end
  while weigh(limit, before, left + 1) <= spare do left = left + 1 end
  return left
end

local function weighed(limit, s, at)
  return weigh(limit, s[at + 2], s[at] + limit.window - now)
end

function MAKE.sw()
  return {
    width = 3,
    advance = function(limit, s, at)
      local window = limit.window
      local passed = now - s[at]
      if passed >= window then
        if passed < 2 * window then s[at + 2] = s[at + 1] else s[at + 2] = 0 end
        s[at + 1] = 0
        s[at] = now - now % window
      elseif -passed > window or (passed < 0 and s[at + 1] == 0 and s[at + 2] == 0) then
        s[at] = now - now % window
      end
    end,
    wait = function(limit, s, at, cost)
      local capacity = limit.capacity
      if cost > capacity then return NEVER end
      if cost == 0 then return 0 end
      local finish = s[at] + limit.window
      local spare = capacity - cost - s[at + 1]
      if spare < 0 then return finish + limit.window - leftFor(limit, s[at + 1], capacity - cost) - now end
      if weighed(limit, s, at) <= spare then return 0 end
      return finish - leftFor(limit, s[at + 2], spare) - now
    end,
    take = takeCount,
    charge = function(limit, s, at, units)
      local most = 2 * limit.capacity - s[at + 1] - weighed(limit, s, at)
      s[at + 1] = s[at + 1] + max(min(units, most), 0)
    end,
    give = function(limit, s, at, units, takenAt)
      local left = units
      if takenAt >= s[at] then
        local given = min(left, s[at + 1])
        s[at + 1] = s[at + 1] - given
        if takenAt == NEVER then left = left - given else left = 0 end
      elseif takenAt < s[at] - limit.window then
        left = 0
      end
      s[at + 2] = max(s[at + 2] - left, 0)
    end,
    consumed = function(limit, s, at) return s[at + 1] + weighed(limit, s, at) end,
    reset = function(limit, s, at)
      if s[at + 1] > 0 then return s[at] + 2 * limit.window - now end
      if s[at + 2] > 0 then return s[at] + limit.window - now end
      return 0
    end,
    lasting = function(limit, s, at)
      KINDS.sw.advance(limit, s, at)
      return KINDS.sw.consumed(limit, s, at)
    end,
    assume = function(limit, s, at, units) s[at], s[at + 1], s[at + 2] = now - now % limit.window, units, 0 end,
  }
end

------------------------------------------------------------------------------------- states under changed limits

local function isRuleNumber(number) return number > 0 and number < LARGEST end

-- Reads a limit back from its rule, such as "tb,period,units" or "sw,window". Its capacity is not known, nor needed.
-- Nil for all that is no rule of ours: what others or later versions wrote must not be taken for something it is not.
local function ruleToLimit(rule)
  local period, units = string.match(rule, '^tb,(%d+),(%d+)$')
  if period then
    period, units = tonumber(period), tonumber(units)
    return isRuleNumber(period) and isRuleNumber(units) and tokenBucket(0, period, units) or nil
  end
  local kind, window = string.match(rule, '^([fs][wl]),(%d+)$')
  if kind and kind ~= 'fl' and isRuleNumber(tonumber(window)) then
    return { kind = kind, window = tonumber(window) }
  end
  if string.find(rule, '^cw,%l+,[%w/_+-]+$') then return { kind = 'cw' } end
  if rule == 'cc' then return { kind = 'cc' } end
  return nil
end

-- Units in use that another algorithm may go on with. Those of logs and permits are known here by their numbers alone.
local function lastingOf(limit, s, at)
  if limit.kind == 'cc' then return 0 end
  if limit.kind == 'sl' then
    if now - s[at + 1] < limit.window then return s[at] end
    return 0
  end
  return KINDS[limit.kind].lasting(limit, s, at)
end

-- Reads the numbers of a state; nil where one of them is none that was ever written.
local function readNumbers(width, value, position)
  if width > MAX_NUMBERS then return nil end
  local numbers = { unpackNumbers('<' .. string.rep('d', width), value, position) }
  numbers[width + 1] = nil
  for i = 1, width do
    if not (numbers[i] >= 0 and numbers[i] < LARGEST) then return nil end
  end
  return numbers
end

local WIDTHS = { tb = 2, fw = 2, cw = 3, sw = 3, sl = 3, cc = 4 }

local function splitRules(rules)
  local list = {}
  for rule in string.gmatch(rules, '[^;]+') do list[#list + 1] = rule end
  return list
end

-- Turns a value written under other rules into numbers for these: units in use stay in use. Nil where it is not ours.
local function carryOver(value, rules, limits)
  local oldRules, position = string.match(value, '^([%w,;/_+.-]+)|()')
  if not oldRules then return nil end
  local old, new = splitRules(oldRules), splitRules(rules)
  local before, starts, width = {}, {}, 0
  for i = 1, #old do
    before[i] = ruleToLimit(old[i])
    if not before[i] then return nil end
    starts[i], width = width + 1, width + WIDTHS[before[i].kind]
  end
  local numbers = #value == position - 1 + 8 * width and readNumbers(width, value, position)
  if not numbers then return nil end
  local s, at = {}, 1
  for i = 1, #limits do
    local limit = limits[i]
    local kind = KINDS[limit.kind]
    for n = 0, kind.width - 1 do s[at + n] = 0 end
    if old[i] then
      if old[i] == new[i] then
        for n = 0, kind.width - 1 do s[at + n] = numbers[starts[i] + n] end
      else
        kind.assume(limit, s, at, lastingOf(before[i], numbers, starts[i]))
      end
    elseif limit.entries then
      kind.assume(limit, s, at, 0)
    end
    at = at + kind.width
  end
  return s
end
