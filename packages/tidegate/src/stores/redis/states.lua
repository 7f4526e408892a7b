-- Reads the policies and keys of a call of transact.lua, whose input is ARGV's, and what all limits of a key have in
-- common: look, take, charge, give back. Stands after remembered.lua. Twin of algorithms/key-state.ts.

-- How long a record is kept at most.
local RECORD_US = 86400000000

local input = cjson.decode(ARGV[1])

local function limitOf(spec)
  local kind, capacity = spec[1], spec[2]
  local limit
  if kind == 'tb' then
    limit = tokenBucket(capacity, spec[4], spec[5])
    limit.queues = spec[6] == 1
  elseif kind == 'cw' then
    limit = calendarWindow(capacity, { spec[4], spec[5], spec[6], spec[7], spec[8] })
  elseif kind == 'cc' then
    limit = concurrency(capacity, spec[4])
  else
    limit = { kind = kind, capacity = capacity, window = spec[4] }
  end
  limit.soft = spec[3] == 1
  return limit
end

-- Reads a policy; nil where now is outside of its boundaries.
local function policyOf(spec)
  local policy = { rules = spec[1], shadow = spec[2] == 1, specs = spec[3], ats = {}, width = 0 }
  for i = 1, #spec[3] do
    local limit = limitOf(spec[3][i])
    if limit.boundaries and not holdsNow(limit) then return nil end
    policy.ats[i] = policy.width + 1
    policy.width = policy.width + KINDS[limit.kind].width
  end
  return policy
end

-- The limits of one key: those of its policy, and for logs and permits where they are.
local function limitsOf(policy, key)
  local limits = {}
  for i = 1, #policy.specs do
    local limit = limitOf(policy.specs[i])
    if limit.boundaries then holdsNow(limit) end
    if limit.kind == 'sl' or limit.kind == 'cc' then limit.entries = key .. ':' .. i end
    limits[i] = limit
  end
  return limits
end

local policies = {}
for i = 1, #input.p do
  policies[i] = policyOf(input.p[i])
  if not policies[i] then return { now } end
end

-- Keys that have been read, by place.
local states = {}

local function readState(part)
  local state = states[part[2]]
  if state then return state end
  local policy, key = policies[part[1]], KEYS[part[2]]
  local limits = limitsOf(policy, key)
  local value, header = get(key), policy.rules .. '|'
  local numbers, fresh
  if value and #value == #header + 8 * policy.width and find(value, header, 1, true) == 1 then
    numbers = readNumbers(policy.width, value, #header + 1)
  elseif value then
    numbers = carryOver(value, policy.rules, limits)
  end
  if not numbers then
    fresh, numbers = true, {}
    for i = 1, policy.width do numbers[i] = 0 end
    for i = 1, #limits do
      if limits[i].entries then drop(limits[i].entries) end
    end
  end
  state = { policy = policy, key = key, limits = limits, s = numbers, before = value }
  states[part[2]] = state
  return state
end

-- Calls work(limit, kind, place of its first number, place of the limit) for all limits of a key.
local function eachLimit(state, work)
  for i = 1, #state.limits do
    local limit = state.limits[i]
    work(limit, KINDS[limit.kind], state.policy.ats[i], i)
  end
end

-- Brings a key to now, and answers for a cost: the longest wait of its hard limits, and the wait of each.
local function look(state, cost)
  local longest, waits = 0, {}
  eachLimit(state, function(limit, kind, at, i)
    kind.advance(limit, state.s, at)
    waits[i] = kind.wait(limit, state.s, at, cost)
    if not limit.soft then longest = max(longest, waits[i]) end
  end)
  return longest, waits
end

-- The units of a limit, of a soft one as many as there are.
local function ownUnits(limit, kind, s, at, units)
  if not limit.soft then return units end
  return min(units, max(limit.capacity - kind.consumed(limit, s, at), 0))
end

-- Takes a cost of all limits, and returns the units by limit.
local function take(state, cost, permit)
  local taken = {}
  eachLimit(state, function(limit, kind, at, i)
    taken[i] = ownUnits(limit, kind, state.s, at, cost)
    if taken[i] > 0 then kind.take(limit, state.s, at, taken[i], permit) end
  end)
  return taken
end

local function charge(state, units)
  eachLimit(state, function(limit, kind, at)
    kind.advance(limit, state.s, at)
    kind.charge(limit, state.s, at, ownUnits(limit, kind, state.s, at, units))
  end)
end

-- What is remembered of a key beside its states, while something may be given back: until when, the instant of its last
-- reset, the rules, and the gifts of each limit. Nil where nothing is.
local function pastOf(state)
  if state.past == nil then
    local value = get(state.key .. ':past')
    state.past = value and readPast(value, state.policy.rules, #state.limits) or false
  end
  return state.past or nil
end

-- Remembers it until an instant at least.
local function remember(state, past, ends)
  state.past = past
  past.ends = max(past.ends, ends)
  call('SET', state.key .. ':past', pastText(past, state.policy.rules), 'PX', ttlOf(past.ends - now))
end

-- Whether receipts hold marks that gifts move.
local function hasBucket(state)
  local found = false
  eachLimit(state, function(limit) found = found or isBucket(limit) end)
  return found
end

-- Sees that what is given back is remembered while a receipt may be used, and returns what has been by limit; nil where
-- no limit needs it.
local function keepGifts(state, receiptUs)
  if not hasBucket(state) then return nil end
  local past = pastOf(state) or newPast(#state.limits)
  remember(state, past, now + receiptUs)
  return past.gifts
end

-- Gives units back of a receipt, or where there is none those taken at an instant, NEVER for those taken last. False
-- where the key was reset since.
local function giveBack(state, units, takenAt, receipt)
  local past = pastOf(state)
  if past and takenAt <= past.resetAt then return false end
  eachLimit(state, function(limit, kind, at, i)
    local own, mark = units, nil
    if receipt then own, mark = receipt.units[i] - receipt.cost + units, receipt.marks[i] end
    kind.advance(limit, state.s, at)
    if own <= 0 then return end
    if not (past and isBucket(limit)) then
      kind.give(limit, state.s, at, own, mark or takenAt)
      return
    end
    local gifts = past.gifts[i]
    local last = placeOf(gifts, max(state.s[at], now))
    local size = kind.give(limit, state.s, at, own, mark and instantOf(gifts, mark) or takenAt)
    addGift(gifts, mark or last - size, size)
  end)
  if past then remember(state, past, 0) end
  return true
end

-- Appends how a key stands; where units were taken of it, with their marks.
local function append(answer, state, taken, waits, units, gifts)
  answer[#answer + 1] = taken
  eachLimit(state, function(limit, kind, at, i)
    for n = at, at + kind.width - 1 do answer[#answer + 1] = state.s[n] end
    if waits[i] == NEVER then answer[#answer + 1] = -1 else answer[#answer + 1] = waits[i] end
    answer[#answer + 1] = units and units[i] or 0
    local mark = units and state.s[at + (kind.mark or 0)] or 0
    if gifts and isBucket(limit) then mark = placeTaken(gifts[i], mark) end
    answer[#answer + 1] = mark
  end)
end
