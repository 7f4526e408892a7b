-- The policies that most are: one token bucket whose units return after whole microseconds, or one fixed window. Stands
-- after write.lua in decide.lua and lease.lua, whose shorter ways are for them alone.

-- Reads such a policy from ARGV; nil where it is another.
local function readShortPolicy(arg)
  if ARGV[arg + 2] ~= '1' then return nil end
  local capacity, period, units = tonumber(ARGV[arg + 4]), tonumber(ARGV[arg + 5]), tonumber(ARGV[arg + 6])
  local isWindow = units == 0
  if not isWindow and (units < 0 or period % units ~= 0) then return nil end
  local rules = ARGV[arg + 1]
  return {
    isWindow = isWindow, capacity = capacity, whole = isWindow and period or period / units,
    rules = rules, header = rules .. '|', offset = #rules + 2, length = #rules + 17,
    format = '<c' .. #rules .. 'c1dd', arg = arg, limitCount = 1,
  }
end
