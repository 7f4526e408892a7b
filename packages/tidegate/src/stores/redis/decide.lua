-- Decides a batch of checks atomically, on this server's clock. Twin of algorithms/{decide,token-bucket,
-- fixed-window}.ts: the two are held equal by a differential test, so change both.
--
-- KEYS  one per policy key, all in one Cluster slot, grouped by policy in the order of ARGV.
-- ARGV  number of policies, then for each policy:
--         rules (names what the stored numbers mean), number of limits, number of keys,
--         for each limit three numbers: token bucket  capacity, period in us, units (units return every period)
--                                       fixed window  limit, window in us, 0
--         for each key the costs of its checks in order: "1", or "1,5,?2" where ? only looks.
-- Returns integers: now in us, then for each check, and for each of its limits, the limit's numbers after the check:
--         the first relative to now and doubled, with 1 added in the check's first limit where the cost was taken
--         (and not where it was denied, or only looked at); then the second, but for buckets whose units return
--         after whole microseconds, which need no more to be read.
-- A value is rules .. "|" .. two little-endian doubles for each limit. Every write carries an expiry.

local ceil, floor, max = math.ceil, math.floor, math.max
local pack, unpackNumbers, find = struct.pack, struct.unpack, string.find
local call = redis.call

-- Redis may count a key's expiry from a clock reading that is a little older than `now`; a state is as if unused
-- when its time is over, so a second more changes no decision.
local EXPIRY_SLACK_MS = 1000
local MAX_EXACT = 2 ^ 52
local MAX_FILL_US = 36500 * 86400000000

local time = call('TIME')
local now = time[1] * 1000000 + time[2]

local function tokenBucket(capacity, period, units)
  local part = period % units
  local whole = (period - part) / units
  local exact = math.min(floor(MAX_EXACT / units), floor(MAX_FILL_US / (period / units)))
  return {
    capacity = capacity, period = period, units = units, whole = whole, part = part,
    unitsMax = max(capacity, exact),
  }
end

local function fixedWindow(capacity, window)
  return { capacity = capacity, window = window }
end

-- Brings numbers a, b of one limit to now.
local function advance(limit, a, b)
  local window = limit.window
  if window then
    if now >= a then
      if now - a >= window then return now - now % window, 0 end
    elseif a - now > window or b == 0 then
      return now - now % window, b
    end
    return a, b
  end
  local excess, units = a - now, limit.units
  if excess < 0 then return a, b end
  local rest = b % units
  local ceiling = (b - rest) / units
  local product = ceiling * limit.part
  local part = product % units
  local most = ceiling * limit.whole + (product - part) / units
  if excess > most or (excess == most and rest > part) then
    return now + most, ceiling * units + part
  end
  return a, b
end

-- Whether cost units are there. a, b are at now.
local function admits(limit, a, b, cost)
  local spare = limit.capacity - cost
  if spare < 0 then return false end
  if limit.window then return cost == 0 or b <= spare end
  local excess = a - now
  if limit.part == 0 then return excess <= spare * limit.whole end
  if excess < 0 then return true end
  local product = spare * limit.part
  local sparePart = product % limit.units
  local spareUs = spare * limit.whole + (product - sparePart) / limit.units
  return excess < spareUs or (excess == spareUs and b % limit.units <= sparePart)
end

local function take(limit, a, b, cost)
  if limit.window then return a, b + cost end
  if a < now then a, b = now, 0 end
  local product = cost * limit.part + b % limit.units
  local part = product % limit.units
  return a + cost * limit.whole + (product - part) / limit.units, limit.capacity * limit.units + part
end

-- Microseconds until the limit is as if never used. a, b are at now.
local function resetAfter(limit, a, b)
  if limit.window then
    if b > 0 then return a + limit.window - now end
    return 0
  end
  if a < now then return 0 end
  if b % limit.units > 0 then return a - now + 1 end
  return a - now
end

local function covers(limit, used, excess, part)
  local product = used * limit.part
  local usedPart = product % limit.units
  local usedUs = used * limit.whole + (product - usedPart) / limit.units
  return usedUs > excess or (usedUs == excess and usedPart >= part)
end

-- Units in use at now, for numbers written under another rule.
local function consumed(limit, a, b)
  a, b = advance(limit, a, b)
  if limit.window then return b end
  local excess, rest = a - now, b % limit.units
  if excess < 0 then return 0 end
  if limit.part == 0 then return ceil(excess / limit.whole) end
  local used = ceil((excess + rest / limit.units) / (limit.period / limit.units))
  while not covers(limit, used, excess, rest) do used = used + 1 end
  while used > 0 and covers(limit, used - 1, excess, rest) do used = used - 1 end
  return used
end

-- The numbers of a limit with so many units in use, which may be more than it has.
local function assume(limit, units)
  if limit.window then return now - now % limit.window, units end
  local used = math.min(units, limit.unitsMax)
  local product = used * limit.part
  local part = product % limit.units
  return now + used * limit.whole + (product - part) / limit.units,
    max(limit.capacity, used) * limit.units + part
end

-- Reads a limit back from its rule: "tb,period,units" or "fw,window". Its capacity is not known, nor needed.
local function ruleToLimit(rule)
  local period, units = string.match(rule, '^tb,(%d+),(%d+)$')
  if period then return tokenBucket(0, tonumber(period), tonumber(units)) end
  local window = string.match(rule, '^fw,(%d+)$')
  if window then return fixedWindow(0, tonumber(window)) end
  return nil
end

local function splitRules(rules)
  local list = {}
  for rule in string.gmatch(rules, '[^;]+') do list[#list + 1] = rule end
  return list
end

-- Turns a value written under other rules into numbers for these: units in use stay in use. Nil where it is not ours.
local function carryOver(value, rules, limits)
  local oldRules, position = string.match(value, '^([%w,;]+)|()')
  if not oldRules then return nil end
  local old, new = splitRules(oldRules), splitRules(rules)
  if #value ~= position - 1 + 16 * #old then return nil end
  local numbers = {}
  for i, limit in ipairs(limits) do
    local a, b = 0, 0
    if old[i] then
      a, b = unpackNumbers('<dd', value, position + 16 * (i - 1))
      if old[i] ~= new[i] then
        local oldLimit = ruleToLimit(old[i])
        if not oldLimit then return nil end
        a, b = assume(limit, consumed(oldLimit, a, b))
      end
    end
    numbers[2 * i - 1], numbers[2 * i] = a, b
  end
  return numbers
end

local reply, filled = { now }, 1
-- Of the key at hand: whether Redis holds a value for it, and whether its numbers must be written.
local existed, changed

-- Decides one check over all limits of a policy, all or nothing, and appends its answer to the reply.
local function check(limits, numbers, cost, consume)
  local admitted = true
  for i = 1, #limits do
    local a, b = numbers[2 * i - 1], numbers[2 * i]
    local newA, newB = advance(limits[i], a, b)
    if newA ~= a or newB ~= b then
      numbers[2 * i - 1], numbers[2 * i] = newA, newB
      if existed then changed = true end
    end
    if admitted and not admits(limits[i], newA, newB, cost) then admitted = false end
  end
  admitted = admitted and consume
  local taken = admitted and 1 or 0
  for i = 1, #limits do
    local a, b = numbers[2 * i - 1], numbers[2 * i]
    if admitted and cost > 0 then
      a, b = take(limits[i], a, b, cost)
      numbers[2 * i - 1], numbers[2 * i] = a, b
      changed = true
    end
    filled = filled + 1
    reply[filled] = 2 * (a - now) + taken
    taken = 0
    if limits[i].part ~= 0 then
      filled = filled + 1
      reply[filled] = b
    end
  end
end

-- Numbers as call takes them; it would print each one itself, in ten times the time of a look-up.
local texts = {}

-- When a key expires, in seconds, whose state is as if unused from microsecond `unused` on.
local function expiryOf(unused)
  return ceil(unused / 1000000 + EXPIRY_SLACK_MS / 1000)
end

-- Writes a value that is as if unused from microsecond `unused` on; `before` is that of the value that the key holds,
-- where that has its expiry from here, else nil. SET with an expiry would remove the one that the key has and add it
-- anew, and a relative one is rewritten to an absolute one for replicas, whether there are any or not: together that
-- takes longer than all the rest of the call.
local function write(key, value, unused, before)
  local expiry = expiryOf(unused)
  if before and expiryOf(before) == expiry then
    call('SET', key, value, 'KEEPTTL')
    return
  end
  local text = texts[expiry]
  if not text then
    text = string.format('%d000', expiry)
    texts[expiry] = text
  end
  call('SET', key, value, 'KEEPTTL')
  call('PEXPIREAT', key, text)
end

local function store(key, format, rules, limits, numbers)
  local longest = 0
  for i = 1, #limits do
    longest = max(longest, resetAfter(limits[i], numbers[2 * i - 1], numbers[2 * i]))
  end
  local value = pack(format, rules, '|', unpack(numbers))
  write(key, value, now + longest)
end

-- Decides one key's checks, whatever its limits and costs are.
local function decideKey(key, value, costs, policy)
  local rules, limits, offset = policy.rules, policy.limits, policy.offset
  local numbers
  changed = false
  if value then
    if #value == policy.length and find(value, policy.header, 1, true) == 1 then
      numbers = { unpackNumbers(policy.numbersFormat, value, offset) }
      numbers[2 * #limits + 1] = nil
    else
      numbers = carryOver(value, rules, limits)
      changed = numbers ~= nil
    end
  end
  existed = numbers ~= nil
  if not existed then
    numbers = {}
    for i = 1, 2 * #limits do numbers[i] = 0 end
  end
  for look, cost in string.gmatch(costs, '(%??)(%d+)') do
    check(limits, numbers, tonumber(cost), look == '')
  end
  if changed then store(key, policy.format, rules, limits, numbers) end
end

-- Decides one check of one token bucket whose units return after whole microseconds: the same as decideKey, in a
-- third of its time, for what most checks are. Returns false where the value needs decideKey.
local function decideBucket(key, value, cost, policy)
  local tat, ceiling = 0, 0
  if value then
    if #value ~= policy.length or find(value, policy.header, 1, true) ~= 1 then return false end
    tat, ceiling = unpackNumbers('<dd', value, policy.offset)
  end
  local limit = policy.limits[1]
  local excess, changed = tat - now, false
  if excess > ceiling * limit.whole and excess > 0 then
    excess, changed = ceiling * limit.whole, true
  end
  local taken = 0
  if cost <= limit.capacity and excess <= (limit.capacity - cost) * limit.whole then
    taken = 1
    if cost > 0 then
      if excess < 0 then excess = 0 end
      excess = excess + cost * limit.whole
      ceiling = limit.capacity
      changed = true
    end
  end
  if changed then
    local unused = now + excess
    write(key, pack(policy.format, policy.rules, '|', unused, ceiling), unused, value and tat)
  end
  filled = filled + 1
  reply[filled] = 2 * excess + taken
  return true
end

local function readPolicy(arg)
  local rules, limits = ARGV[arg + 1], {}
  local limitCount = tonumber(ARGV[arg + 2])
  for i = 1, limitCount do
    local at = arg + 3 * i
    local capacity, period = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
    local units = tonumber(ARGV[at + 3])
    limits[i] = units == 0 and fixedWindow(capacity, period) or tokenBucket(capacity, period, units)
  end
  local doubles = string.rep('d', 2 * limitCount)
  return {
    rules = rules, limits = limits, header = rules .. '|',
    offset = #rules + 2, length = #rules + 1 + 16 * limitCount,
    format = '<c' .. #rules .. 'c1' .. doubles, numbersFormat = '<' .. doubles,
    bucket = limitCount == 1 and limits[1].part == 0,
  }
end

local values = call('MGET', unpack(KEYS))
local arg, index = 1, 0
for _ = 1, tonumber(ARGV[1]) do
  local policy = readPolicy(arg)
  local keyCount = tonumber(ARGV[arg + 3])
  arg = arg + 3 + 3 * #policy.limits
  for at = arg + 1, arg + keyCount do
    index = index + 1
    local key, value, costs = KEYS[index], values[index], ARGV[at]
    local single = policy.bucket and tonumber(costs)
    if not (single and decideBucket(key, value, single, policy)) then
      decideKey(key, value, costs, policy)
    end
  end
  arg = arg + keyCount
end
return reply
