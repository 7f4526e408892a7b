-- Does what is more than a check of plain limits, each piece of work atomically: limits with logs, permits or soft
-- ones, several keys as one, request ids, reservations, refunds. Stands after algorithms.lua and entries.lua. Twin of
-- stores/memory-work.ts: the two are held equal by a differential test, so change both.
--
-- KEYS  policy keys, then for each log or permits of theirs its key, then the keys of records and of resets; all in one
--       Cluster slot. Policy keys and records are looked up by place, the others' names are made of their policy keys'.
-- ARGV  1: JSON { p: policies, w: work }
--       policy: [rules, shadow (0 or 1), limits]; limit: [kind, capacity, soft (0 or 1), numbers...] with
--         tb: period us, units, queues (0 or 1); fw, sw, sl: window us; cw: five boundaries in us; cc: lease us.
--       work: [kind, parts, record, extra]; part: [place of its policy from 1, place of its key in KEYS, cost];
--         record: 0, or [place of its key in KEYS, ttl us, what is asked, hash of the limits]
--         "t" takes all parts or none; extra: permit id or "".
--         "l" looks.   "g" gives back; extra: taken at, -1 is last.   "s" settles the record to the part's cost.
--         "r" releases, "e" extends; extra: permit id.   "z" resets.
-- Returns integers: now, then for each work: its status, its instant, then for each part 1 where taken and for each
--         limit its numbers and its wait before anything was taken in us, -1 where no wait helps.
--         status: 0 denied or not done, 1 admitted or done, 2 the record's id stands for something else (and no parts
--         follow), 3 and 4 as 0 and 1, told again with the limits of now, 5 the permit is held already.
--         Where now lies outside of a calendar window's boundaries it returns now alone, and has done nothing.
-- A record is: "R" or, settled, "S", what was asked, a space, the hash, "|", and in doubles its end and answer.

-- How long a record is kept at most.
local RECORD_MS = '86401000'

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
  local policy = { rules = spec[1], shadow = spec[2] == 1, specs = spec[3], ats = {}, width = 0 }
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
  local value, header = call('GET', key), policy.rules .. '|'
  local numbers, fresh
  if value and #value == #header + 8 * policy.width and find(value, header, 1, true) == 1 then
    numbers = { unpackNumbers('<' .. string.rep('d', policy.width), value, #header + 1) }
    numbers[policy.width + 1] = nil
  elseif value then
    numbers = carryOver(value, policy.rules, limits)
  end
  if not numbers then
    fresh, numbers = true, {}
    for i = 1, policy.width do numbers[i] = 0 end
    for i = 1, #limits do
      if limits[i].entries then call('DEL', limits[i].entries) end
    end
  end
  state = { policy = policy, key = key, limits = limits, s = numbers, before = value }
  states[part[2]] = state
  return state
end

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

local function take(state, cost, permit)
  if cost == 0 then return end
  eachLimit(state, function(limit, kind, at)
    local units = cost
    if limit.soft then units = min(cost, max(limit.capacity - kind.consumed(limit, state.s, at), 0)) end
    if units > 0 then kind.take(limit, state.s, at, units, permit) end
  end)
end

local function change(state, name, ...)
  local arguments, found = { ... }, false
  eachLimit(state, function(limit, kind, at)
    kind.advance(limit, state.s, at)
    if kind[name] and kind[name](limit, state.s, at, unpack(arguments)) then found = true end
  end)
  return found
end

local function append(answer, state, taken, waits)
  answer[#answer + 1] = taken
  eachLimit(state, function(_, kind, at, i)
    for n = at, at + kind.width - 1 do answer[#answer + 1] = state.s[n] end
    if waits[i] == NEVER then answer[#answer + 1] = -1 else answer[#answer + 1] = waits[i] end
  end)
end

-- Answers how the key of a part stands, as a look at a cost of 0 does.
local function standing(part, done)
  local state = readState(part)
  local _, waits = look(state, 0)
  local answer = { done and 1 or 0, now }
  append(answer, state, 0, waits)
  return answer
end

local function takeAll(parts, permit)
  local waits, each, admitted = {}, {}, true
  for i = 1, #parts do
    local state = readState(parts[i])
    if permit ~= '' and change(state, 'holds', permit) then
      local answer = standing(parts[1], true)
      answer[1] = 5
      return answer
    end
    waits[i], each[i] = look(state, parts[i][3])
    if waits[i] > 0 and not state.policy.shadow then admitted = false end
  end
  local answer = { admitted and 1 or 0, now }
  for i = 1, #parts do
    local state, taken = readState(parts[i]), 0
    if admitted and waits[i] == 0 then
      take(state, parts[i][3], permit)
      taken = 1
    end
    append(answer, state, taken, each[i])
  end
  return answer
end

local function lookAll(parts)
  local answer = { 0, now }
  for i = 1, #parts do
    local state = readState(parts[i])
    local _, waits = look(state, parts[i][3])
    append(answer, state, 0, waits)
  end
  return answer
end

local function ttlOf(us) return string.format('%.0f', ceil(us / 1000) + EXPIRY_SLACK_MS) end

-- Reads a record that has not ended.
local function readRecord(key)
  local value = call('GET', key)
  if not value then return nil end
  local mark, asked, hash, position = string.match(value, '^([RS])([^ ]*) ([^|]*)|()')
  if not mark then return nil end
  local count = (#value - position + 1) / 8
  local numbers = { unpackNumbers('<' .. string.rep('d', count), value, position) }
  if now >= numbers[1] then return nil end
  local answer = {}
  for i = 2, count do answer[i - 1] = numbers[i] end
  return { mark = mark, asked = asked, hash = hash, answer = answer, value = value }
end

local function writeRecord(record, answer)
  local head = 'R' .. record[3] .. ' ' .. record[4] .. '|'
  local value = head .. pack('<' .. string.rep('d', #answer + 1), now + record[2], unpack(answer))
  call('SET', KEYS[record[1]], value, 'PX', ttlOf(record[2]))
end

-- Answers as recorded, or where there is no record does the work and records its answer.
local function recorded(record, parts, work)
  if record == 0 then return work() end
  local known = readRecord(KEYS[record[1]])
  if not known then
    local answer = work()
    writeRecord(record, answer)
    return answer
  end
  if known.asked ~= record[3] then return { 2, now } end
  if known.hash == record[4] then return known.answer end
  local answer = lookAll(parts)
  answer[1], answer[2] = 3 + known.answer[1], known.answer[2]
  return answer
end

-- When the key was reset last, as far as any record goes back: what was taken before is not there to be given back.
local function resetAt(state) return tonumber(call('GET', state.key .. ':reset') or 0) end

local function settle(part, record)
  local known = readRecord(KEYS[record[1]])
  -- Of an answer to one part: its status, when, and whether it was taken. Others took no estimate.
  local estimate = known and string.match(known.asked, '^%d+$')
  if not estimate or known.answer[3] ~= 1 then return standing(part, false) end
  if known.mark == 'R' then
    local state, excess = readState(part), part[3] - tonumber(estimate)
    if excess > 0 then change(state, 'charge', excess) end
    if excess < 0 and known.answer[2] > resetAt(state) then change(state, 'give', -excess, known.answer[2]) end
    call('SET', KEYS[record[1]], 'S' .. string.sub(known.value, 2), 'KEEPTTL')
  end
  return standing(part, true)
end

local DO = {
  t = function(parts, record, permit)
    return recorded(record, parts, function() return takeAll(parts, permit) end)
  end,
  l = lookAll,
  g = function(parts, record, takenAt)
    return recorded(record, parts, function()
      if takenAt < 0 then takenAt = NEVER end
      if takenAt <= resetAt(readState(parts[1])) then return standing(parts[1], false) end
      change(readState(parts[1]), 'give', parts[1][3], takenAt)
      return standing(parts[1], true)
    end)
  end,
  s = function(parts, record) return settle(parts[1], record) end,
  z = function(parts)
    local state = readState(parts[1])
    eachLimit(state, function(limit, kind, at)
      if limit.entries then call('DEL', limit.entries) end
      for n = at, at + kind.width - 1 do state.s[n] = 0 end
    end)
    call('DEL', state.key)
    state.before = nil
    call('SET', state.key .. ':reset', string.format('%.0f', now), 'PX', RECORD_MS)
    return standing(parts[1], true)
  end,
  r = function(parts, _, permit) return standing(parts[1], change(readState(parts[1]), 'release', permit)) end,
  e = function(parts, _, permit) return standing(parts[1], change(readState(parts[1]), 'extend', permit)) end,
}

local reply = { now }
for i = 1, #input.w do
  local work = input.w[i]
  local answer = DO[work[1]](work[2], work[3], work[4])
  for n = 1, #answer do reply[#reply + 1] = answer[n] end
end

-- Writes a key that has changed, unless it is new and as if never used.
local function store(state)
  local longest = 0
  eachLimit(state, function(limit, kind, at)
    longest = max(longest, kind.reset(limit, state.s, at))
  end)
  local rules = state.policy.rules
  local value = pack('<c' .. #rules .. 'c1' .. string.rep('d', state.policy.width), rules, '|', unpack(state.s))
  if value == state.before or (longest == 0 and not state.before) then return end
  local expiry = string.format('%.0f', ceil((now + longest) / 1000) + EXPIRY_SLACK_MS)
  call('SET', state.key, value, 'KEEPTTL')
  call('PEXPIREAT', state.key, expiry)
  eachLimit(state, function(limit)
    if limit.entries then call('PEXPIREAT', limit.entries, expiry) end
  end)
end

for _, state in pairs(states) do store(state) end
return reply
