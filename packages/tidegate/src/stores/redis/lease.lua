-- Grants leases: units that a node spends from its memory, debited at once, and shared out by what all nodes asked for
-- within the last second. Takes back what nodes have left of those before. Of policies that are plain, and that do not
-- queue. Stands after pasts.lua and short-policies.lua. Twin of algorithms/lease.ts and stores/memory-work.ts: the two
-- are held equal by a differential test, so change both.
--
-- KEYS  for each policy key, in the order of ARGV: it, and the key of its past. Each once, all in one Cluster slot.
-- ARGV  eight letters that stand for the node, number of policies, then for each policy:
--         as decide.lua has it, but the costs; then the part of what nobody wants that comes on top, and how long what
--         is granted may be given back in us; then for each key what is asked: "want,least,most", units that the node
--         can use soon, those without which it can do nothing, and those of use to it at most, -1 where all are. Behind
--         it, where there is any, ";" and units that it owes; and for each lease that it gives back ";" and what is
--         left of it, and of the answer that granted it, its instant and marks by limit, with commas.
-- Returns integers: now, then for each key: twice the units that were granted, with 1 added where marks follow; for
--         each limit its numbers after that, the first relative to now; and, where gifts have moved them, for each
--         limit by how much the mark of its units is more than its first number. Where now lies outside of a calendar
--         window's boundaries it returns now alone, and has done nothing.

-- How long what a node wants counts.
local DEMAND_US = 1000000
-- Nodes told apart; of more the demand is believed to be less than it is, and never more granted than there is.
local MAX_NODES = 128
-- What a limit has at most, and so a node wants.
local MAX_UNITS = 1000000000

local node = ARGV[1]
local reply, filled = { now }, 1

-- What is written of the node, by what it wants: most of a call want the same.
local nodeTexts = {}

local function nodeText(want)
  local text = nodeTexts[want]
  if not text then
    text = pack('<ddc8', now, want, node)
    nodeTexts[want] = text
  end
  return text
end

-- Notes what the node wants of a key among the demands that stand in a value, and returns what all want, and how the
-- demands are to be written.
local function noteDemand(value, first, last, want)
  local total, count, kept, from = want, 0, '', first
  for at = first, last, NODE_SIZE do
    local instant, units, name = unpackNumbers('<ddc8', value, at)
    local age = now - instant
    local isKept = name ~= node and age >= 0 and age < DEMAND_US and units > 0 and units <= MAX_UNITS
    if isKept and count < MAX_NODES - 1 then
      total, count = total + units, count + 1
    else
      if from < at then kept = kept .. string.sub(value, from, at - 1) end
      from = at + NODE_SIZE
    end
  end
  if from < last then kept = kept .. string.sub(value, from, last) end
  if want > 0 then kept = kept .. nodeText(want) end
  return total, kept
end

local function grantOf(room, ask, demand, spare)
  local want, least, most = ask.want, ask.least, ask.most
  local granted = min(want, floor(room * want / demand))
  if room > demand then granted = want + floor(spare * (room - demand)) end
  if most >= 0 then granted = min(granted, max(want, most)) end
  if granted < least and room >= least then granted = least end
  return granted
end

-- Until when a past is kept: while what was granted may be given back, and while what is wanted counts.
local function endOf(ends, policy, ask, granted)
  if ask.want == 0 then return ends end
  return max(ends, now + (granted > 0 and policy.keepUs or DEMAND_US))
end

-- Each question by its text: most of a call are alike.
local asks = {}

local function readAsk(text)
  local ask = asks[text]
  if not ask then
    local want, least, most, rest = string.match(text, '^(%d+),(%d+),(-?%d+)(.*)$')
    ask = { want = tonumber(want), least = tonumber(least), most = tonumber(most), rest = rest ~= '' and rest }
    asks[text] = ask
  end
  return ask
end

-- The general way, made when it is first needed, as in decide.lua.
local function loadGeneral()
  --[[ algorithms.lua, gifts.lua, key-state.lua, plain-policies.lua, lease-general.lua ]]
end

-- Answers a question that gives back nothing about a key of a short policy: the same as the general way, in half of its
-- time. Returns false where the values need the general way.
local function leaseShort(policy, ask, key, value, pastKey, pastValue)
  local first, second = 0, 0
  if value then
    if #value ~= policy.length or find(value, policy.header, 1, true) ~= 1 then return false end
    first, second = unpackNumbers('<dd', value, policy.offset)
    if not (first >= 0 and first < LARGEST and second >= 0 and second < LARGEST) then return false end
  end
  local endsBefore, resetAt, from, to, isSame
  if pastValue then endsBefore, resetAt, from, to, isSame = readPast(pastValue, policy.header) end
  local passed, gifts = 0, ''
  if endsBefore then
    if not isSame then return false end
    -- Gifts are behind it: as long as it is kept, and most of that time but a sum of those that have passed.
    if to <= #pastValue then
      local told = 1
      if #pastValue - to + 1 == 16 then passed, told = unpackNumbers('<dd', pastValue, to) end
      if told ~= 0 or not (passed > 0 and passed < LARGEST) then return false end
      gifts = string.sub(pastValue, to)
    end
  end
  local isWindow, whole, capacity = policy.isWindow, policy.whole, policy.capacity
  local firstBefore, secondBefore, room, before = first, second, 0, nil
  if isWindow then
    if value and second > 0 then before = first + whole end
    if now >= first then
      if now - first >= whole then first, second = now - now % whole, 0 end
    elseif first - now > whole or second == 0 then
      first = now - now % whole
    end
    room = capacity - second
  else
    if value then before = first end
    if first > now and first - now > second * whole then first = now + second * whole end
    room = first > now and capacity - ceil((first - now) / whole) or capacity
  end
  local demand, demands = ask.want, ''
  if endsBefore then demand, demands = noteDemand(pastValue, from, to - 1, ask.want)
  elseif demand > 0 then demands = nodeText(demand) end
  local granted = 0
  if ask.want > 0 then granted = grantOf(max(room, 0), ask, demand, policy.spare) end
  if granted > 0 then
    if isWindow then second = second + granted else first, second = max(first, now) + granted * whole, capacity end
  end
  if granted > 0 or (value and (first ~= firstBefore or second ~= secondBefore)) then
    local unused = first
    if isWindow then unused = second > 0 and first + whole or now end
    write(key, pack(policy.format, policy.rules, '|', first, second), max(unused, now), before)
  end
  local ends = endOf(endsBefore or 0, policy, ask, granted)
  if now < ends then
    local text = pastText(policy.header, ends, resetAt or 0, demands, gifts)
    if text ~= pastValue then write(pastKey, text, ends, endsBefore) end
  end
  reply[filled + 1], reply[filled + 2], reply[filled + 3] = 2 * granted, first - now, second
  filled = filled + 3
  if granted > 0 and passed > 0 then
    reply[filled - 2] = 2 * granted + 1
    filled = filled + 1
    reply[filled] = isWindow and 0 or first + passed - first
  end
  return true
end

local general

local function lease(policy, ask, key, value, pastKey, pastValue)
  if policy.isShort and not ask.rest and leaseShort(policy, ask, key, value, pastKey, pastValue) then return end
  general = general or loadGeneral()
  if policy.isShort and not policy.general then
    policy.general = general.readPolicy(policy.arg)
    policy.general.spare, policy.general.keepUs = policy.spare, policy.keepUs
  end
  general.lease(policy.general or policy, ask, key, value, pastKey, pastValue)
end

-- Reads a policy from ARGV; nil where now is outside of its calendar windows.
local function readPolicy(arg)
  local policy = readShortPolicy(arg)
  if policy then
    policy.isShort = true
  else
    general = general or loadGeneral()
    policy = general.readPolicy(arg)
    if not policy then return nil end
  end
  local at = arg + 3 + 3 * policy.limitCount
  policy.keyCount, policy.spare, policy.keepUs = tonumber(ARGV[arg + 3]), tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  policy.asks = at + 2
  return policy
end

-- All policies are read before the first key is written.
local policies, arg = {}, 2
for i = 1, tonumber(ARGV[2]) do
  local policy = readPolicy(arg)
  if not policy then return { now } end
  arg = policy.asks + policy.keyCount
  policies[i] = policy
end
local values = call('MGET', unpack(KEYS))
local index = 1
for i = 1, #policies do
  local policy = policies[i]
  for at = policy.asks + 1, policy.asks + policy.keyCount do
    lease(policy, readAsk(ARGV[at]), KEYS[index], values[index], KEYS[index + 1], values[index + 1])
    index = index + 2
  end
end
return reply
