import { CLOCK, PRELUDE } from "./prelude.ts";

/**
 * Records, in the partitions of their keys: a hash `record:<key>` with `v` version, `d` value and `x` when it expires, which
 * is missing where it does not; the sorted set `records` of all keys, in their order; the sorted set `expiring` of those that
 * expire, by that time.
 */
const RECORDS: string = `${PRELUDE}${CLOCK}
-- {version, value, milliseconds left or ''}, or false where there is no record or it has expired.
local function recordOf(key)
  local fields = call('HMGET', base .. 'record:' .. key, 'v', 'd', 'x')
  if not fields[1] then return false end
  if not fields[3] then return {fields[1], fields[2], ''} end
  local left = tonumber(fields[3]) - now
  if left <= 0 then return false end
  return {fields[1], fields[2], string.format('%.0f', math.ceil(left))}
end
`;

/** Records of keys, each as `recordOf` tells it. */
export const READ_RECORDS: string = `${RECORDS}
local results = {}
while more() do results[#results + 1] = recordOf(take()) end
return results
`;

/**
 * How many expired records to remove at the most; then writes: key, write id, '-' or '=' with the version that must be there,
 * value, ttl or ''. Answers per write 1, or the record that is there instead, or false.
 *
 * What is swept is swept first: a full server takes a write where something has been removed for it.
 */
export const WRITE_RECORDS: string = `${RECORDS}
local function remove(key)
  call('UNLINK', base .. 'record:' .. key)
  call('ZREM', base .. 'records', key)
  call('ZREM', base .. 'expiring', key)
end

local past = string.format('%.0f', math.floor(now))
local expired = call('ZRANGEBYSCORE', base .. 'expiring', '-inf', past, 'LIMIT', 0, take())
for _, key in ipairs(expired) do remove(key) end

local function write(key, writeId, condition, value, ttl)
  local present = recordOf(key)
  if present and present[1] == writeId then return 1 end
  if condition ~= (present and '=' .. present[1] or '-') then return present end
  local record = base .. 'record:' .. key
  if ttl == '' then
    call('HSET', record, 'v', writeId, 'd', value)
    call('HDEL', record, 'x')
    call('ZREM', base .. 'expiring', key)
  elseif tonumber(ttl) <= 0 then
    remove(key)
    return 1
  else
    local expiry = string.format('%.0f', math.ceil(now + tonumber(ttl)))
    call('HSET', record, 'v', writeId, 'd', value, 'x', expiry)
    call('ZADD', base .. 'expiring', expiry, key)
  end
  call('ZADD', base .. 'records', 0, key)
  return 1
end

local results = {}
while more() do results[#results + 1] = write(take(), take(), take(), take(), take()) end
return results
`;

/**
 * Keys of records that have not expired, in their order: where to begin and to end (as ZRANGEBYLEX takes them), how many.
 */
export const RECORD_KEYS: string = `${RECORDS}
local from, to, limit = take(), take(), tonumber(take())
local results = {}
while true do
  local keys = call('ZRANGEBYLEX', base .. 'records', from, to, 'LIMIT', 0, limit)
  for _, key in ipairs(keys) do
    local expiry = call('HGET', base .. 'record:' .. key, 'x')
    if not expiry or tonumber(expiry) > now then results[#results + 1] = key end
    if #results == limit then return results end
  end
  if #keys < limit then return results end
  from = '(' .. keys[#keys]
end
`;
