-- What was given back to a token bucket while units that were taken later are in use. Stands after algorithms.lua and
-- pasts.lua. Twin of algorithms/gifts.ts.

-- The most gifts of a limit that are told apart.
local MAX_GIFTS = 64

local function createGifts() return { passed = 0, places = {}, sizes = {} } end

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

-- Reads gifts of `count` limits from a place of a value on; none where something else stands there.
local function readGifts(value, position, count)
  local width = (#value - position + 1) / 8
  local numbers, list, at = readNumbers(width, value, position) or {}, {}, 1
  for i = 1, count do
    local gifts, told = createGifts(), numbers[at + 1]
    list[i] = gifts
    if told and at + 1 + 2 * told <= width then
      gifts.passed = numbers[at]
      for n = 1, told do gifts.places[n], gifts.sizes[n] = numbers[at + 2 * n], numbers[at + 2 * n + 1] end
      at = at + 2 + 2 * told
    else
      numbers = {}
    end
  end
  return list
end

-- A past that is read whole: { ends, resetAt, demands, gifts }; as it was read, its value and the end of that.
local function newPast() return { ends = 0, resetAt = 0, demands = '' } end

local function readWholePast(value, header)
  local ends, resetAt, from, giftsAt, isSame = readPast(value, header)
  if not ends then return nil end
  return {
    ends = ends, resetAt = resetAt, demands = string.sub(value, from, giftsAt - 1), value = value, endedBefore = ends,
    isSame = isSame, giftsAt = giftsAt <= #value and giftsAt or nil,
  }
end

-- What was given back by limit, as far as a past of another policy's rules says so. Read when it is first needed.
local function giftsOf(past, count)
  if past.gifts then return past.gifts end
  past.gifts = {}
  if past.giftsAt then past.gifts = readGifts(past.value, past.giftsAt, count) end
  for i = 1, count do
    past.gifts[i] = past.gifts[i] or createGifts()
    if not past.isSame then forget(past.gifts[i]) end
  end
  return past.gifts
end

-- Writes them as doubles: of each limit what has passed, how many are told apart, their places and sizes. Empty where
-- nothing was given back.
local function giftsText(past, count)
  if not (past.gifts or past.giftsAt) then return '' end
  local list, numbers, found = giftsOf(past, count), {}, false
  for i = 1, count do
    local gifts = list[i]
    found = found or gifts.passed > 0 or #gifts.places > 0
    numbers[#numbers + 1] = gifts.passed
    numbers[#numbers + 1] = #gifts.places
    for n = 1, #gifts.places do
      numbers[#numbers + 1] = gifts.places[n]
      numbers[#numbers + 1] = gifts.sizes[n]
    end
  end
  return found and pack('<' .. string.rep('d', #numbers), unpack(numbers)) or ''
end

-- Writes a past that has changed.
local function writePast(key, past, header, count)
  local text = pastText(header, past.ends, past.resetAt, past.demands, giftsText(past, count))
  if text ~= past.value then write(key, text, past.ends, past.endedBefore) end
end
