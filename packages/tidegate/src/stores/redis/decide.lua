-- Decides a batch of checks of plain limits atomically: those whose state is a few numbers, and that are not soft. The
-- path of most decisions, and so the shortest; lease.lua and transact.lua do the rest. Stands after short-policies.lua.
-- Twin of algorithms/decide.ts: the two are held equal by a differential test, so change both.
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

-- The general way, made when it is first needed: most calls do without, and what they need not make they do not pay.
local function loadGeneral()
  --[[ algorithms.lua, plain-policies.lua, decide-general.lua ]]
end

-- Decides one check of one token bucket whose units return after whole microseconds: the same as the general
-- way, in a third of its time, for what most checks are. Returns false where the value needs the general way.
local function decideBucket(key, value, cost, policy)
  local tat, ceiling = 0, 0
  if value then
    if #value ~= policy.length or find(value, policy.header, 1, true) ~= 1 then return false end
    tat, ceiling = unpackNumbers('<dd', value, policy.offset)
    if not (tat < LARGEST and ceiling < LARGEST) then return false end
  end
  local excess, changed = tat - now, false
  if excess > ceiling * policy.whole and excess > 0 then
    excess, changed = ceiling * policy.whole, true
  end
  local taken = 0
  if cost == 0 then
    taken = 1
  elseif cost <= policy.capacity and excess <= (policy.capacity - cost) * policy.whole then
    taken = 1
    if excess < 0 then excess = 0 end
    excess = excess + cost * policy.whole
    ceiling = policy.capacity
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

-- The same for a check of one fixed window.
local function decideWindow(key, value, cost, policy)
  local start, count = 0, 0
  if value then
    if #value ~= policy.length or find(value, policy.header, 1, true) ~= 1 then return false end
    start, count = unpackNumbers('<dd', value, policy.offset)
    if not (start < LARGEST and count >= 0 and count < LARGEST) then return false end
  end
  local window, changed, before = policy.whole, false, nil
  if value and count > 0 then before = start + window end
  if now >= start then
    if now - start >= window then start, count, changed = now - now % window, 0, value end
  elseif start - now > window or count == 0 then
    start, changed = now - now % window, value
  end
  local taken = 0
  if cost == 0 then
    taken = 1
  elseif count + cost <= policy.capacity then
    count, taken, changed = count + cost, 1, true
  end
  if changed then
    local unused = now
    if count > 0 then unused = start + window end
    write(key, pack(policy.format, policy.rules, '|', start, count), unused, before)
  end
  reply[filled + 1] = 2 * (start - now) + taken
  reply[filled + 2] = count
  filled = filled + 2
  return true
end

local general

-- Reads a policy from ARGV; nil where now is outside of its calendar windows.
local function readPolicy(arg)
  local policy = readShortPolicy(arg)
  if policy then
    policy.short = policy.isWindow and decideWindow or decideBucket
    return policy
  end
  general = general or loadGeneral()
  return general.readPolicy(arg)
end

-- Decides one key's checks, whatever its value and costs are.
local function decideKey(key, value, costs, policy)
  general = general or loadGeneral()
  if policy.short then
    policy.general = policy.general or general.readPolicy(policy.arg)
    policy = policy.general
  end
  general.decide(key, value, costs, policy)
end

-- All policies are read before the first key is written.
local policies, arg = {}, 1
for i = 1, tonumber(ARGV[1]) do
  local policy = readPolicy(arg)
  if not policy then return { now } end
  policy.keyCount = tonumber(ARGV[arg + 3])
  policy.costs = arg + 3 + 3 * policy.limitCount
  arg = policy.costs + policy.keyCount
  policies[i] = policy
end
local values = call('MGET', unpack(KEYS))
local index = 0
for i = 1, #policies do
  local policy = policies[i]
  local short = policy.short
  for at = policy.costs + 1, policy.costs + policy.keyCount do
    index = index + 1
    local key, value, costs = KEYS[index], values[index], ARGV[at]
    local single = short and tonumber(costs)
    if not (single and short(key, value, single, policy)) then
      decideKey(key, value, costs, policy)
    end
  end
end
return reply
