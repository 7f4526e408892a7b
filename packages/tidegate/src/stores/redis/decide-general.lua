-- The longer way of decide.lua, for policies of several limits, for values written under other rules, and for several
-- checks of one key: any plain limits, any costs. Stands after plain-policies.lua in decide.lua's function loadGeneral,
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

-- Decides one key's checks, whatever its limits and costs are.
local function decideKey(key, value, costs, policy)
  local s
  s, changed = readPlainState(value, policy)
  existed = s ~= nil
  s = s or freshState(policy)
  for look, cost in string.gmatch(costs, '(%??)(%d+)') do
    check(policy, s, tonumber(cost), look == '')
  end
  if changed then write(key, plainText(policy, s), now + resetOf(policy, s)) end
end

return { decide = decideKey, readPolicy = readPlainPolicy }
