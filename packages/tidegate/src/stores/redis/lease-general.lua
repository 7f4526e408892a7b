-- The longer way of lease.lua: any policy that it takes, values written under other rules, and questions that give back
-- or owe something. Stands after key-state.lua and plain-policies.lua in lease.lua's function loadGeneral, and returns
-- its two ways in.

-- Units that all limits have, after they have been brought to now.
local function roomOf(policy, s)
  local limits, kinds, ats, room = policy.limits, policy.kinds, policy.ats, NEVER
  for i = 1, #limits do
    local limit, kind, at = limits[i], kinds[i], ats[i]
    kind.advance(limit, s, at)
    room = min(room, limit.capacity - kind.consumed(limit, s, at))
  end
  return max(room, 0)
end

-- Takes what was granted, and returns by how much the marks of its units are more than the limits' first numbers; nil
-- where they are not.
local function takeGranted(policy, s, granted, gifts)
  local shifts = gifts and {}
  for i = 1, #policy.limits do
    local limit, at = policy.limits[i], policy.ats[i]
    policy.kinds[i].take(limit, s, at, granted)
    if gifts then shifts[i] = isBucket(limit) and placeTaken(gifts[i], s[at]) - s[at] or 0 end
  end
  return shifts
end

-- Gives back and charges what stands behind a question.
local function settle(state, rest, keepUs)
  local owed, backs = string.match(rest, '^;(%d+)(.*)$')
  for text in string.gmatch(backs, '[^;]+') do
    local numbers = {}
    for number in string.gmatch(text, '[^,]+') do numbers[#numbers + 1] = tonumber(number) end
    local receipt = { cost = numbers[1], units = {}, marks = {} }
    for i = 1, #state.limits do receipt.units[i], receipt.marks[i] = numbers[1], numbers[i + 2] end
    -- The gifts that its marks are among may be forgotten by then.
    if now - numbers[2] <= keepUs or not hasBucket(state) then giveBack(state, numbers[1], numbers[2], receipt) end
  end
  if owed ~= '0' then charge(state, tonumber(owed)) end
end

local function answer(granted, policy, s, shifts)
  filled = filled + 1
  reply[filled] = 2 * granted + (shifts and 1 or 0)
  for i = 1, #policy.limits do
    local at = policy.ats[i]
    reply[filled + 1] = s[at] - now
    for n = 1, policy.kinds[i].width - 1 do reply[filled + 1 + n] = s[at + n] end
    filled = filled + policy.kinds[i].width
  end
  for i = 1, shifts and #shifts or 0 do
    filled = filled + 1
    reply[filled] = shifts[i]
  end
end

-- Answers a question about a key.
local function leaseKey(policy, ask, key, value, pastKey, pastValue)
  local s, isCarried = readPlainState(value, policy)
  local before = s and not isCarried and resetOf(policy, s) or 0
  s = s or freshState(policy)
  local past = pastValue and readWholePast(pastValue, policy.header)
  if ask.rest then
    settle({ policy = policy, limits = policy.limits, s = s, past = past or false }, ask.rest, policy.keepUs)
  end
  past = past or newPast()
  local room, granted, shifts = roomOf(policy, s), 0, nil
  local demand, demands = noteDemand(past.demands, 1, #past.demands, ask.want)
  past.demands = demands
  if ask.want > 0 then granted = grantOf(room, ask, demand, policy.spare) end
  if granted > 0 then
    local hasGifts = past.gifts or past.giftsAt
    shifts = takeGranted(policy, s, granted, hasGifts and giftsOf(past, policy.limitCount))
  end
  local longest, text = resetOf(policy, s), plainText(policy, s)
  if text ~= value and (longest > 0 or value) then
    write(key, text, now + longest, before > 0 and now + before or nil)
  end
  past.ends = endOf(past.ends, policy, ask, granted)
  if now < past.ends then writePast(pastKey, past, policy.header, policy.limitCount) end
  answer(granted, policy, s, shifts)
end

return { lease = leaseKey, readPolicy = readPlainPolicy }
