-- What is remembered of a key beside its states: when it was reset, what nodes want of it, by which leases are shared
-- out, and what was given back. Stands after write.lua in lease.lua and transact.lua.
--
-- A past is in Redis: the rules, "|", and in doubles its end, the instant of the last reset, and how many nodes want
-- something; of each of these when it asked, the units that it wanted, and eight letters that stand for its name, the
-- latest last; then the gifts of all limits.

-- Bytes of one node.
local NODE_SIZE = 24

-- Reads a past, of another policy's rules what can be known: its end, the last reset, where in the value its nodes
-- begin, what is behind them, and whether it is of the same rules. Nil where it has ended, or is none.
local function readPast(value, header)
  local isSame = find(value, header, 1, true) == 1
  local position = isSame and #header + 1 or string.match(value, '^[^|]*|()')
  local size = position and #value - position + 1
  if not size or size < 24 or size % 8 ~= 0 then return nil end
  local ends, resetAt, nodes = unpackNumbers('<ddd', value, position)
  if not (now < ends and ends < LARGEST and resetAt >= 0 and resetAt < LARGEST) then return nil end
  local from = position + 24
  local giftsAt = from + NODE_SIZE * nodes
  if not (nodes >= 0 and nodes % 1 == 0 and giftsAt <= #value + 1) then return nil end
  return ends, resetAt, from, giftsAt, isSame
end

local function pastText(header, ends, resetAt, demands, gifts)
  return header .. pack('<ddd', ends, resetAt, #demands / NODE_SIZE) .. demands .. gifts
end
