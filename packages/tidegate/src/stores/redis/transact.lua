-- Does what is more than a check of plain limits or a lease, each piece of work atomically: limits with logs, permits
-- or soft ones, several keys as one, request ids, reservations, refunds. Stands after states.lua. Twin of
-- stores/memory-work.ts: the two are held equal by a differential test, so change both.
--
-- KEYS  policy keys, then for each log or permits of theirs its key, then the keys of pasts and records; all
--       in one Cluster slot. Policy keys and records are looked up by place, the others' names are made of their
--       policy keys'.
-- ARGV  1: JSON { p: policies, w: work }
--       policy: [rules, shadow (0 or 1), limits]; limit: [kind, capacity, soft (0 or 1), numbers...] with
--         tb: period us, units, queues (0 or 1); fw, sw, sl: window us; cw: five boundaries in us; cc: lease us.
--       work: [kind, parts, record, extra]; part: [place of its policy from 1, place of its key in KEYS, cost];
--         record: 0, or [place of its key in KEYS, ttl us, what is asked, hash of the limits]
--         "t" takes all parts or none; extra: [permit id or "", how long what it answers may be given back in us].
--         "l" looks.   "g" gives back; extra: [taken at], -1 for what was taken last, or what an answer to "t" said:
--         [taken at, cost, units by limit, marks by limit], and where a record answers a denial from then on, the
--         place of its key in KEYS.   "s" settles the record to the part's cost.
--         "r" releases, "e" extends; extra: permit id.   "z" resets.
-- Returns integers: now, then for each work: its status, its instant, then for each part 1 where taken and for each
--         limit its numbers, its wait before anything was taken in us, -1 where no wait helps, the units taken and
--         their mark.
--         status: 0 denied or not done, 1 admitted or done, 2 the record's id stands for something else (and no parts
--         follow), 3 and 4 as 0 and 1, told again in the numbers of now, 5 the permit is held already: then its
--         first part alone follows, and the permit's units and how long it is held still in us.
--         Where now lies outside of a calendar window's boundaries it returns now alone, and has done nothing.

-- Does what only permits have, and says whether any limit could.
local function change(state, name, permit)
  local found = false
  eachLimit(state, function(limit, kind, at)
    if not kind[name] then return end
    kind.advance(limit, state.s, at)
    if kind[name](limit, state.s, at, permit) then found = true end
  end)
  return found
end

-- Finds a permit that is held of any limit: its units, and the end that comes first. Nil where it is held of none.
local function findPermit(state, permit)
  local units, ends = nil, NEVER
  eachLimit(state, function(limit, kind, at)
    if not kind.find then return end
    kind.advance(limit, state.s, at)
    local own, its = kind.find(limit, state.s, at, permit)
    if own and its < ends then units, ends = own, its end
  end)
  return units, ends
end

-- Reads what was taken of each limit from a recorded answer to one part under the same rules.
local function receiptOf(state, cost, answer)
  local units, marks, position = {}, {}, 3
  eachLimit(state, function(_, kind, _, i)
    position = position + kind.width + 3
    units[i], marks[i] = answer[position - 1], answer[position]
  end)
  return { cost = cost, units = units, marks = marks }
end

-- Answers how the key of a part stands, as a look at a cost of 0 does.
local function standing(part, done)
  local state = readState(part)
  local _, waits = look(state, 0)
  local answer = { done and 1 or 0, now }
  append(answer, state, 0, waits)
  return answer
end

local function takeAll(parts, permit, receiptUs)
  local waits, each, admitted = {}, {}, true
  for i = 1, #parts do
    local state = readState(parts[i])
    local units, ends = nil, nil
    if permit ~= '' then units, ends = findPermit(state, permit) end
    if units then
      local answer = standing(parts[1], true)
      answer[1] = 5
      answer[#answer + 1], answer[#answer + 2] = units, ends - now
      return answer
    end
    waits[i], each[i] = look(state, parts[i][3])
    if waits[i] > 0 and not state.policy.shadow then admitted = false end
  end
  local answer = { admitted and 1 or 0, now }
  for i = 1, #parts do
    local state, taken, units, gifts = readState(parts[i]), 0, nil, nil
    if admitted and waits[i] == 0 then
      taken, units = 1, take(state, parts[i][3], permit)
      gifts = receiptUs > 0 and keepGifts(state, receiptUs)
    end
    append(answer, state, taken, each[i], units, gifts)
  end
  return answer
end

local function lookAll(parts, cost)
  local answer = { 0, now }
  for i = 1, #parts do
    local state = readState(parts[i])
    local _, waits = look(state, cost or parts[i][3])
    append(answer, state, 0, waits)
  end
  return answer
end

local function writeRecord(record, parts, answer)
  local head = 'R' .. record[3] .. ' ' .. record[4] .. ' ' .. policies[parts[1][1]].rules .. '|'
  local value = head .. pack('<' .. string.rep('d', #answer + 1), now + record[2], unpack(answer))
  call('SET', KEYS[record[1]], value, 'PX', ttlOf(record[2]))
end

-- How many numbers an answer to parts has.
local function lengthOf(parts)
  local length = 2
  for i = 1, #parts do
    local policy = policies[parts[i][1]]
    length = length + 1 + policy.width + 3 * #policy.specs
  end
  return length
end

-- Answers as recorded, or where there is no record does the work and records its answer.
local function recorded(record, parts, work)
  if record == 0 then return work() end
  local known = readRecord(KEYS[record[1]])
  if not known then
    local answer = work()
    writeRecord(record, parts, answer)
    return answer
  end
  if known.asked ~= record[3] then return { 2, now } end
  local undone = known.mark == 'U'
  if known.hash == record[4] and #known.answer == lengthOf(parts) and not undone then return known.answer end
  local answer = lookAll(parts, undone and 0 or nil)
  answer[1], answer[2] = undone and 3 or 3 + known.answer[1], known.answer[2]
  return answer
end

-- Has a record answer a denial from now on: what it took is given back.
local function undo(key)
  local known = readRecord(key)
  if known and known.mark == 'R' then call('SET', key, 'U' .. string.sub(known.value, 2), 'KEEPTTL') end
end

local function settle(part, record)
  local known = readRecord(KEYS[record[1]])
  -- Of an answer to one part: its status, when, and whether it was taken. Others took no estimate.
  local estimate = known and string.match(known.asked, '^%d+$')
  if not estimate or known.answer[3] ~= 1 then return standing(part, false) end
  if known.mark == 'R' then
    local state, cost = readState(part), tonumber(estimate)
    local excess = part[3] - cost
    -- Under other rules a mark means something else; then only what an instant tells apart is given back.
    local isSame = known.rules == state.policy.rules and #known.answer == lengthOf({ part })
    local receipt = isSame and receiptOf(state, cost, known.answer) or nil
    if excess > 0 then charge(state, excess) end
    if excess < 0 then giveBack(state, -excess, known.answer[2], receipt) end
    call('SET', KEYS[record[1]], 'S' .. string.sub(known.value, 2), 'KEEPTTL')
  end
  return standing(part, true)
end

local DO = {
  t = function(parts, record, extra)
    return recorded(record, parts, function() return takeAll(parts, extra[1], extra[2]) end)
  end,
  l = function(parts) return lookAll(parts) end,
  g = function(parts, record, extra)
    if extra[5] then undo(KEYS[extra[5]]) end
    return recorded(record, parts, function()
      local takenAt, receipt = extra[1], nil
      if takenAt < 0 then takenAt = NEVER end
      if extra[2] then receipt = { cost = extra[2], units = extra[3], marks = extra[4] } end
      return standing(parts[1], giveBack(readState(parts[1]), parts[1][3], takenAt, receipt))
    end)
  end,
  s = function(parts, record) return settle(parts[1], record) end,
  z = function(parts)
    local state = readState(parts[1])
    eachLimit(state, function(limit, kind, at)
      if limit.entries then drop(limit.entries) end
      for n = at, at + kind.width - 1 do state.s[n] = 0 end
    end)
    call('DEL', state.key)
    state.before = nil
    local past = pastOf(state) or newPast()
    past.resetAt = now
    remember(state, past, now + RECORD_US)
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
  local longest, renewed = 0, false
  eachLimit(state, function(limit, kind, at)
    longest = max(longest, kind.reset(limit, state.s, at))
    renewed = renewed or limit.renewed
  end)
  local rules = state.policy.rules
  local value = pack('<c' .. #rules .. 'c1' .. string.rep('d', state.policy.width), rules, '|', unpack(state.s))
  if (value == state.before and not renewed) or (longest == 0 and not state.before) then return end
  write(state.key, value, now + longest)
  eachLimit(state, function(limit)
    if limit.entries then call('PEXPIREAT', limit.entries, expiryText(now + longest)) end
  end)
end

for _, state in pairs(states) do
  store(state)
  if state.remembers then writePast(state.key .. ':past', state.past, state.policy.header, #state.limits) end
end
return reply
