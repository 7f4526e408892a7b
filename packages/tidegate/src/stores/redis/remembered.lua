-- What is remembered of a key beside its states: the answers that were given under ids; when it was reset; and what was
-- given back to token buckets while units that were taken later are in use, which return the earlier for it. Stands
-- between entries.lua and transact.lua. Twin of algorithms/gifts.ts.
--
-- A record is in Redis: "R", settled "S", or undone "U", what was asked, a space, the hash, a space, the rules of its
-- first part's policy, "|", and in doubles its end and answer.
-- A past is in Redis: the rules, "|", and in doubles its end, the instant of the last reset, and for each limit the
-- microseconds that have passed, how many gifts are told apart, and of each its place and size.

-- The most gifts of a limit that are told apart.
local MAX_GIFTS = 64

local function ttlOf(us) return string.format('%.0f', ceil(us / 1000) + EXPIRY_SLACK_MS) end

-- The text that a key holds; false where there is none, or something else.
local function get(key) return call('MGET', key)[1] end

-- Reads a record that has not ended.
local function readRecord(key)
  local value = get(key)
  if not value then return nil end
  local mark, asked, hash, rules, position = string.match(value, '^([RSU])([^ |]*) ([^ |]*) ([^ |]*)|()')
  if not mark then return nil end
  local count = (#value - position + 1) / 8
  if count % 1 ~= 0 or count < 4 then return nil end
  local numbers = { unpackNumbers('<' .. string.rep('d', count), value, position) }
  local isAnswer = (numbers[2] == 0 or numbers[2] == 1) and numbers[3] >= 0 and numbers[3] < LARGEST
  if not (numbers[1] > now and isAnswer) then return nil end
  local answer = {}
  for i = 2, count do answer[i - 1] = numbers[i] end
  return { mark = mark, asked = asked, hash = hash, rules = rules, answer = answer, value = value }
end

local function isBucket(limit) return limit.kind == 'tb' and not limit.queues end

local function newPast(count)
  local past = { ends = 0, resetAt = 0, gifts = {} }
  for i = 1, count do past.gifts[i] = { passed = 0, places = {}, sizes = {} } end
  return past
end

local function totalOf(gifts)
  local total = gifts.passed
  for i = 1, #gifts.sizes do total = total + gifts.sizes[i] end
  return total
end

local function forget(gifts) gifts.passed, gifts.places, gifts.sizes = totalOf(gifts), {}, {} end

local function placeOf(gifts, instant) return instant + totalOf(gifts) end

local function placeTaken(gifts, instant)
  local place, last = placeOf(gifts, instant), gifts.places[#gifts.places]
  if last and last > place then forget(gifts) end
  return place
end

local function instantOf(gifts, place)
  local instant = place - gifts.passed
  for i = 1, #gifts.places do
    if gifts.places[i] > place then break end
    instant = instant - gifts.sizes[i]
  end
  return instant
end

local function addGift(gifts, place, size)
  if size <= 0 then return end
  local places, sizes, index = gifts.places, gifts.sizes, 1
  while places[index] and places[index] <= place do index = index + 1 end
  table.insert(places, index, place)
  table.insert(sizes, index, size)
  while places[1] and places[1] - gifts.passed - sizes[1] <= now do
    gifts.passed = gifts.passed + sizes[1]
    table.remove(places, 1)
    table.remove(sizes, 1)
  end
  if #places <= MAX_GIFTS then return end
  local nearest = 2
  for i = 3, #places do
    if places[i] - places[i - 1] < places[nearest] - places[nearest - 1] then nearest = i end
  end
  sizes[nearest - 1] = sizes[nearest - 1] + sizes[nearest]
  table.remove(places, nearest)
  table.remove(sizes, nearest)
end

local function pastText(past, rules)
  local numbers = { past.ends, past.resetAt }
  for i = 1, #past.gifts do
    local gifts = past.gifts[i]
    numbers[#numbers + 1] = gifts.passed
    numbers[#numbers + 1] = #gifts.places
    for n = 1, #gifts.places do
      numbers[#numbers + 1] = gifts.places[n]
      numbers[#numbers + 1] = gifts.sizes[n]
    end
  end
  return pack('<c' .. #rules .. 'c1' .. string.rep('d', #numbers), rules, '|', unpack(numbers))
end

-- Reads a past; of another policy's rules what can be known. Nil where it has ended, or is none.
local function readPast(value, rules, count)
  local written, position = string.match(value, '^([^|]*)|()')
  local width = written and (#value - position + 1) / 8
  local numbers = width and width % 1 == 0 and width >= 2 and readNumbers(width, value, position)
  if not numbers or now >= numbers[1] then return nil end
  local past, at = newPast(count), 3
  past.ends, past.resetAt = numbers[1], numbers[2]
  for i = 1, count do
    local gifts, told = past.gifts[i], numbers[at + 1]
    if not told or at + 1 + 2 * told > width then break end
    gifts.passed = numbers[at]
    for n = 1, told do gifts.places[n], gifts.sizes[n] = numbers[at + 2 * n], numbers[at + 2 * n + 1] end
    if written ~= rules then forget(gifts) end
    at = at + 2 + 2 * told
  end
  return past
end
