-- What all scripts begin with: decide.lua, lease.lua, transact.lua. All else stands in files of its own, so that a call
-- runs no more than it needs.

local ceil, floor, max, min = math.ceil, math.floor, math.max, math.min
local pack, unpackNumbers, find = struct.pack, struct.unpack, string.find
local call = redis.call

-- Redis may count a key's expiry from a clock reading that is a little older than `now`; a state is as if unused
-- when its time is over, so a second more changes no decision.
local EXPIRY_SLACK_MS = 1000
local MAX_EXACT = 2 ^ 52
local MAX_FILL_US = 36500 * 86400000000
local NEVER = math.huge
-- Above all numbers of states, which are exact.
local LARGEST = 2 ^ 53
-- More numbers than any value of ours has, and fewer than Lua takes at once, about 8,000.
local MAX_NUMBERS = 7000

local time = call('TIME')
local now = time[1] * 1000000 + time[2]
