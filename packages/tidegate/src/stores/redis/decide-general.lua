-- The longer way of decide.lua, for policies of several limits, for values written under other rules, and for several
-- checks of one key: any plain limits, any costs. Stands after algorithms.lua in decide.lua's function loadGeneral,
-- and returns its two ways in. Twin of algorithms/decide.ts.

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
local function readWholePolicy(arg)
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
    limitCount = limitCount, rules = rules, limits = limits, kinds = kinds, ats = ats, width = width,
    header = rules .. '|',
    offset = #rules + 2, length = #rules + 1 + 8 * width,
    format = '<c' .. #rules .. 'c1' .. doubles, numbersFormat = '<' .. doubles,
  }
end

return { decide = decideKey, readPolicy = readWholePolicy }
