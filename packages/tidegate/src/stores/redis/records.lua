-- The answers that were given under ids. Stands after pasts.lua in transact.lua.
--
-- A record is in Redis: "R", settled "S", or undone "U", what was asked, a space, the hash, a space, the rules of its
-- first part's policy, "|", and in doubles its end and answer.

local function ttlOf(us) return string.format('%.0f', ceil(us / 1000) + EXPIRY_SLACK_MS) end

-- Reads a record that has not ended.
local function readRecord(key)
  local value = get(key)
  if not value then return nil end
  local mark, asked, hash, rules, position = string.match(value, '^([RSU])([^ |]*) ([^ |]*) ([^ |]*)|()')
  if not mark then return nil end
  local count = (#value - position + 1) / 8
  if count % 1 ~= 0 or count < 4 or count > MAX_NUMBERS then return nil end
  local numbers = { unpackNumbers('<' .. string.rep('d', count), value, position) }
  local isAnswer = (numbers[2] == 0 or numbers[2] == 1) and numbers[3] >= 0 and numbers[3] < LARGEST
  if not (numbers[1] > now and isAnswer) then return nil end
  local answer = {}
  for i = 2, count do answer[i - 1] = numbers[i] end
  return { mark = mark, asked = asked, hash = hash, rules = rules, answer = answer, value = value }
end
