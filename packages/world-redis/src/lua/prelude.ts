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

-- A run as toRunRecord reads it, or false; without its payloads on request. One whose payloads are gone: id, and what is wrong.
local function rowOf(id, bare)
  local fields = call('HGETALL', base .. 'r:' .. id)
  if #fields == 0 then return false end
  local queue, hasValues
  for index = 1, #fields, 2 do
    if fields[index] == 'u' then queue = fields[index + 1] end
    if fields[index] == 'v' then hasValues = true end
  end
  if hasValues and not bare and call('EXISTS', base .. 'v:' .. id) == 0 then return {id, 'its result is gone'} end
  local values = {false, false, false}
  if hasValues and not bare then values = call('HMGET', base .. 'v:' .. id, 'output', 'error', 'state') end
  return {id, call('ZSCORE', base .. 'd:' .. queue, id), values[1], values[2], values[3], unpack(fields)}
end

-- A run's place in the sorted sets of listings: bytes in the order of the times, then of the ids.
local function member(time, id) return struct.pack('>d', tonumber(time)) .. id end
`;

/** For scripts that write rows: their payloads and attributes. */
export const VALUES = `
-- Sets a payload; false takes it away.
local function setValue(id, field, value)
  local values = base .. 'v:' .. id
  if not value then
    call('HDEL', values, field)
    if call('EXISTS', values) == 0 then call('HDEL', base .. 'r:' .. id, 'v') end
    return
  end
  call('HSET', base .. 'r:' .. id, 'v', 1)
  if call('TYPE', values).ok ~= 'hash' then call('DEL', values) end
  call('HSET', values, field, value)
end

-- Attributes as they are sent: JSON, how many keys, the keys.
local function takeAttributes()
  local attributes = {json = take(), keys = {}}
  for index = 1, tonumber(take()) do attributes.keys[index] = take() end
  return attributes
end
local function setAttributes(id, place, attributes)
  local row = base .. 'r:' .. id
  for key in string.gmatch(call('HGET', row, 't') or '', '[^,]+') do call('ZREM', base .. 'a:' .. key, place) end
  if #attributes.keys == 0 then
    call('HDEL', row, 'a', 't')
    return
  end
  call('HSET', row, 'a', attributes.json, 't', table.concat(attributes.keys, ','))
  for _, key in ipairs(attributes.keys) do call('ZADD', base .. 'a:' .. key, 0, place) end
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

-- When something of a start becomes due or free, as that clock counts: as far from now as the caller said.
local function dueTime(text)
  local time = tonumber(text)
  return byStore and string.format('%.0f', now + time - asked) or text
end
`;
