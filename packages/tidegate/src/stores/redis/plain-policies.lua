-- Plain policies, whose limits are hard and their states a few numbers: reads them from ARGV, and the states of their
-- keys. Stands after algorithms.lua in lease.lua, and in the part of decide.lua that most calls do without.

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
local function readPlainPolicy(arg)
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
    format = '<c' .. #rules .. 'c1' .. doubles,
  }
end

-- Reads the numbers of a key, and whether they were written under other rules; nil where it has none of ours.
local function readPlainState(value, policy)
  if not value then return nil, false end
  if #value == policy.length and find(value, policy.header, 1, true) == 1 then
    return readNumbers(policy.width, value, policy.offset), false
  end
  local s = carryOver(value, policy.rules, policy.limits)
  return s, s ~= nil
end

local function freshState(policy)
  local s = {}
  for i = 1, policy.width do s[i] = 0 end
  return s
end

-- How long it takes until all limits of a policy are as if never used.
local function resetOf(policy, s)
  local limits, kinds, ats, longest = policy.limits, policy.kinds, policy.ats, 0
  for i = 1, #limits do longest = max(longest, kinds[i].reset(limits[i], s, ats[i])) end
  return longest
end

local function plainText(policy, s) return pack(policy.format, policy.rules, '|', unpack(s)) end
