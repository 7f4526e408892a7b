-- Reads and writes values that expire when they are of no use any more. Stands after prelude.lua in all scripts.

-- Numbers as call takes them; it would print each one itself, in ten times the time of a look-up.
local texts = {}

-- When a key expires, in seconds, whose state is as if unused from microsecond `unused` on.
local function expiryOf(unused)
  return ceil(unused / 1000000 + EXPIRY_SLACK_MS / 1000)
end

-- The same, as PEXPIREAT takes it.
local function expiryText(unused)
  local expiry = expiryOf(unused)
  local text = texts[expiry]
  if not text then
    text = string.format('%.0f000', expiry)
    texts[expiry] = text
  end
  return text
end

-- Writes a value that is as if unused from microsecond `unused` on; `before` is that of the value that the key holds,
-- where that has its expiry from here, else nil. SET with an expiry would remove the one that the key has and add it
-- anew, and a relative one is rewritten to an absolute one for replicas, whether there are any or not: together that
-- takes longer than all the rest of the call.
local function write(key, value, unused, before)
  call('SET', key, value, 'KEEPTTL')
  if before and expiryOf(before) == expiryOf(unused) then return end
  call('PEXPIREAT', key, expiryText(unused))
end

-- The text that a key holds; false where there is none, or something else.
local function get(key) return call('MGET', key)[1] end
