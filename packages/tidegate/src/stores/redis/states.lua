-- Reads the policies and keys of a call of transact.lua, whose input is ARGV's, and says how a key stands. Stands after
-- records.lua.

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
  local policy = {
    rules = spec[1], header = spec[1] .. '|', shadow = spec[2] == 1, specs = spec[3], ats = {}, width = 0,
  }
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
  local value, header = get(key), policy.header
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
