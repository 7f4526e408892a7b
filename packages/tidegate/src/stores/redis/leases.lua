-- Leases: units that a node spends from its memory. Debited when they are granted, and shared out by what all nodes
-- asked for within the last second. Stands between states.lua and transact.lua. Twin of algorithms/lease.ts and
-- stores/memory-demands.ts.
--
-- A demand is in Redis: for each node its name, the units that it wanted, and when: "name,units,us;".

local DEMAND_US = 1000000
-- Nodes told apart; of more the demand is believed to be less than it is, and never more granted than there is.
local MAX_NODES = 128
-- What a limit has at most, and so a node wants.
local MAX_UNITS = 1000000000

-- Notes what a node wants, and returns what all do.
local function noteDemand(state, node, want)
  local key = state.key .. ':lease'
  local value, total, kept = get(key), want, {}
  if value then
    for text, name, wanted, at in string.gmatch(value, '(([^,;]+),(%d+),(%d+);)') do
      local age, units = now - tonumber(at), tonumber(wanted)
      if units <= MAX_UNITS and name ~= node and age >= 0 and age < DEMAND_US and #kept < MAX_NODES - 1 then
        kept[#kept + 1] = text
        total = total + units
      end
    end
  end
  if want > 0 then kept[#kept + 1] = string.format('%s,%.0f,%.0f;', node, want, now) end
  local text = table.concat(kept)
  if text ~= '' then
    call('SET', key, text, 'PX', ttlOf(DEMAND_US))
  elseif value then
    call('DEL', key)
  end
  return total
end

-- Units that all hard limits have, and no more than the least limit has at all; the debt of the deepest.
local function roomOf(state)
  local room, debt = NEVER, 0
  eachLimit(state, function(limit, kind, at)
    room = min(room, limit.capacity)
    if limit.soft then return end
    local left = limit.capacity - kind.consumed(limit, state.s, at)
    room = min(room, max(left, 0))
    debt = max(debt, -left)
  end)
  return room, debt
end

-- Microseconds until the first window of a hard limit ends; -1 where none does.
local function windowLeft(state)
  local left = NEVER
  eachLimit(state, function(limit, _, at)
    if limit.soft then return end
    if limit.kind == 'fw' or limit.kind == 'sw' then left = min(left, state.s[at] + limit.window - now) end
    if limit.kind == 'cw' then left = min(left, state.s[at + 2] - now) end
  end)
  if left == NEVER then return -1 end
  return left
end

local function grantOf(room, want, least, demand, spare)
  local granted = min(want, floor(room * want / demand))
  if room > demand then granted = want + floor(spare * (room - demand)) end
  if granted < least and room >= least then granted = least end
  return granted
end

local function lease(part, extra)
  local state, least = readState(part), part[3]
  local node, want, spare, keepUs, owed, backs = extra[1], extra[2], extra[3], extra[4], extra[5], extra[6]
  for i = 1, #backs do
    local back = backs[i]
    -- The gifts that its marks are among may be forgotten by then.
    if now - back[2] <= keepUs or not hasBucket(state) then
      giveBack(state, back[1], back[2], { cost = back[3], units = back[4], marks = back[5] })
    end
  end
  if owed > 0 then charge(state, owed) end
  look(state, 0)
  local demand, granted, units, gifts = noteDemand(state, node, want), 0, nil, nil
  local room = roomOf(state)
  if want > 0 then granted = grantOf(room, want, least, demand, spare) end
  if granted > 0 then
    gifts = keepGifts(state, keepUs)
    units = take(state, granted, '')
  end
  -- What is told is how long the least is not there after what was granted.
  local _, waits = look(state, least)
  local answer = { 6, now }
  append(answer, state, granted > 0 and 1 or 0, waits, units, gifts)
  local _, debt = roomOf(state)
  answer[#answer + 1], answer[#answer + 2], answer[#answer + 3] = granted, windowLeft(state), debt
  return answer
end
