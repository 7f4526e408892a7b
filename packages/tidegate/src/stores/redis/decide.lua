-- Decides a batch of checks of plain limits atomically: those whose state is a few numbers, and that are not soft. The
-- path of most decisions, and so the shortest; transact.lua does the rest. Stands after algorithms.lua. Twin of
-- algorithms/decide.ts: the two are held equal by a differential test, so change both.
--
-- KEYS  one per policy key, all in one Cluster slot, grouped by policy in the order of ARGV.
-- ARGV  number of policies, then for each policy:
--         rules (names what the stored numbers mean), number of limits, number of keys,
--         for each limit three texts: buckets         capacity, period in us, units (units return every period)
--                                     fixed window    limit, window in us, 0
--                                     sliding window  limit, window in us, -1
--                                     calendar window limit, its five boundaries in us with commas, -2
--         for each key the costs of its checks in order: "1", or "1,5,?2" where ? only looks.
-- Returns integers: now in us, then for each check, and for each of its limits, the limit's numbers after the check:
--         the first relative to now and doubled, with 1 added in the check's first limit where the cost was taken
--         (and not where it was denied, or only looked at); then the others, but for buckets whose units return after
--         whole microseconds, which need no more to be read. Where now lies outside of a calendar window's boundaries
--         it returns now alone, and has done nothing.

local reply, filled = { now }, 1
-- Of the key at hand: whether Redis holds a value for it, and whether its numbers must be written.
local existed, changed

-- Decides one check over all limits of a policy, all or nothing, and appends its answer to the reply.
local function check(policy, s, cost, consume)
  local limits, kinds, ats = policy.limits, policy.kinds, policy.ats
  local admitted = true
  for i = 1, #limits do
    local limit, kind, at = limits[i], kinds[i], ats[i]
    local a, b, c = s[at], s[at + 1], s[at + 2]
    kind.advance(limit, s, at)
    if existed and (s[at] ~= a or s[at + 1] ~= b or s[at + 2] ~= c) then changed = true end
    if admitted and kind.wait(limit, s, at, cost) > 0 then admitted = false end
  end
  admitted = admitted and consume
  local taken = admitted and 1 or 0
  for i = 1, #limits do
    local limit, kind, at = limits[i], kinds[i], ats[i]
    if admitted and cost > 0 then
      kind.take(limit, s, at, cost)
      changed = true
    end
    filled = filled + 1
    reply[filled] = 2 * (s[at] - now) + taken
    taken = 0
    if limit.part ~= 0 then
      for n = at + 1, at + kind.width - 1 do
        filled = filled + 1
        reply[filled] = s[n]
      end
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

local function store(key, policy, s)
  local longest = 0
  for i = 1, #policy.limits do
    longest = max(longest, policy.kinds[i].reset(policy.limits[i], s, policy.ats[i]))
  end
  write(key, pack(policy.format, policy.rules, '|', unpack(s)), now + longest)
end

-- Decides one key's checks, whatever its limits and costs are.
local function decideKey(key, value, costs, policy)
  local s
  changed = false
  if value then
    if #value == policy.length and find(value, policy.header, 1, true) == 1 then
      s = { unpackNumbers(policy.numbersFormat, value, policy.offset) }
      s[policy.width + 1] = nil
    else
      s = carryOver(value, policy.rules, policy.limits)
      changed = s ~= nil
    end
  end
  existed = s ~= nil
  if not existed then
    s = {}
    for i = 1, policy.width do s[i] = 0 end
  end
  for look, cost in string.gmatch(costs, '(%??)(%d+)') do
    check(policy, s, tonumber(cost), look == '')
  end
  if changed then store(key, policy, s) end
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
  if cost == 0 then
    taken = 1
  elseif cost <= limit.capacity and excess <= (limit.capacity - cost) * limit.whole then
    taken = 1
    if excess < 0 then excess = 0 end
    excess = excess + cost * limit.whole
    ceiling = limit.capacity
    changed = true
  end
  if changed then
    local unused = now + excess
    write(key, pack(policy.format, policy.rules, '|', unused, ceiling), unused, value and tat)
  end
  filled = filled + 1
  reply[filled] = 2 * excess + taken
  return true
end

local function readLimit(capacity, second, third)
  local units = tonumber(third)
  if units > 0 then return tokenBucket(capacity, tonumber(second), units) end
  if units == 0 then return fixedWindow(capacity, tonumber(second)) end
  if units == -1 then return slidingWindow(capacity, tonumber(second)) end
  local boundaries = {}
  for boundary in string.gmatch(second, '%d+') do boundaries[#boundaries + 1] = tonumber(boundary) end
  return calendarWindow(capacity, boundaries)
end

-- Reads a policy from ARGV; nil where now is outside of its boundaries.
local function readPolicy(arg)
  local rules, limits, kinds, ats, width = ARGV[arg + 1], {}, {}, {}, 0
  local limitCount = tonumber(ARGV[arg + 2])
  for i = 1, limitCount do
    local at = arg + 3 * i
    local limit = readLimit(tonumber(ARGV[at + 1]), ARGV[at + 2], ARGV[at + 3])
    if limit.boundaries and not holdsNow(limit) then return nil end
    limits[i], kinds[i], ats[i] = limit, KINDS[limit.kind], width + 1
    width = width + kinds[i].width
  end
  local doubles = string.rep('d', width)
  return {
    rules = rules, limits = limits, kinds = kinds, ats = ats, width = width, header = rules .. '|',
    offset = #rules + 2, length = #rules + 1 + 8 * width,
    format = '<c' .. #rules .. 'c1' .. doubles, numbersFormat = '<' .. doubles,
    bucket = limitCount == 1 and limits[1].part == 0,
  }
end

-- All policies are read before the first key is written.
local policies, arg = {}, 1
for i = 1, tonumber(ARGV[1]) do
  local policy = readPolicy(arg)
  if not policy then return { now } end
  policy.keyCount = tonumber(ARGV[arg + 3])
  policy.costs = arg + 3 + 3 * #policy.limits
  arg = policy.costs + policy.keyCount
  policies[i] = policy
end
local values = call('MGET', unpack(KEYS))
local index = 0
for i = 1, #policies do
  local policy = policies[i]
  for at = policy.costs + 1, policy.costs + policy.keyCount do
    index = index + 1
    local key, value, costs = KEYS[index], values[index], ARGV[at]
    local single = policy.bucket and tonumber(costs)
    if not (single and decideBucket(key, value, single, policy)) then
      decideKey(key, value, costs, policy)
    end
  end
end
return reply
