/**
 * What every script begins with. `KEYS[1]` is the partition's `meta` key; the other keys are named after it, so they
 * are in its slot. A script runs alone: nothing happens between its commands.
 *
 * A script checks everything before its first write, because Redis does not take back what a script has written.
 */
export const PRELUDE = `
local call = redis.call
local base = string.sub(KEYS[1], 1, -5)
if call('EXISTS', KEYS[1]) == 0 then return redis.error_reply('NOSTORE ' .. KEYS[1] .. ' does not exist') end

local TERMINAL = {c = true, f = true, x = true}
local at = 0
local function take()
  at = at + 1
  return ARGV[at]
end
local function more() return at < #ARGV end

-- HMGET of more fields than Lua can pass is not needed; RPUSH of a long journal is.
local function push(key, values)
  for first = 1, #values, 1000 do
    call('RPUSH', key, unpack(values, first, math.min(first + 999, #values)))
  end
end

-- A full server lets no script begin to write, but for what frees memory; after that it may go on.
local function freeing() call('UNLINK', base .. 'nothing') end

-- A run as toRunRecord reads it, or false; of a damaged one the row alone. One without its result: id, and what is wrong.
local function rowOf(id, damage)
  local fields = call('HGETALL', base .. 'r:' .. id)
  if #fields == 0 then return false end
  local workflow, hasValues
  for index = 1, #fields, 2 do
    if fields[index] == 'w' then workflow = fields[index + 1] end
    if fields[index] == 'v' then hasValues = true end
  end
  if hasValues and not damage and call('EXISTS', base .. 'v:' .. id) == 0 then return {id, 'its result is gone'} end
  local values = hasValues and not damage and call('HMGET', base .. 'v:' .. id, 'output', 'error') or {false, false}
  return {id, call('ZSCORE', base .. 'd:' .. workflow, id), values[1], values[2], unpack(fields)}
end
`;

/**
 * For scripts that judge time: their first two arguments are the caller's time and whose clock counts. `now` is that
 * clock's time.
 */
export const CLOCK = `
local asked = tonumber(take())
local byStore = take() == 'store'
local now = asked
if byStore then
  local time = call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end

-- When something becomes due or free, as that clock counts: as far from now as the caller said.
local function dueTime(text)
  local time = tonumber(text)
  return byStore and string.format('%.0f', now + time - asked) or text
end
`;
