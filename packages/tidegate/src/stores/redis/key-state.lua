-- What all limits of a key have in common: look, take, charge, give back. Stands after gifts.lua in lease.lua and
-- transact.lua. Twin of algorithms/key-state.ts.
--
-- A state is { policy, key, limits, s }, of whose policy `ats` says where the numbers of each limit begin in s, and
-- `header` what stands before them in Redis; and once it was asked for, the past of the key, false where there is none.

local function isBucket(limit) return limit.kind == 'tb' and not limit.queues end

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

-- What is remembered of a key beside its states; nil where nothing is.
local function pastOf(state)
  if state.past == nil then
    local value = get(state.key .. ':past')
    state.past = value and readWholePast(value, state.policy.header) or false
  end
  return state.past or nil
end

-- Remembers it until an instant at least.
local function remember(state, past, ends)
  past.ends = max(past.ends, ends)
  state.past, state.remembers = past, true
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
  local past = pastOf(state) or newPast()
  remember(state, past, now + receiptUs)
  return giftsOf(past, #state.limits)
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
    local gifts = giftsOf(past, #state.limits)[i]
    local last = placeOf(gifts, max(state.s[at], now))
    local size = kind.give(limit, state.s, at, own, mark and instantOf(gifts, mark) or takenAt)
    addGift(gifts, mark or last - size, size)
  end)
  if past then remember(state, past, 0) end
  return true
end
