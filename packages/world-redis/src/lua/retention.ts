import { PRELUDE, VALUES } from "./prelude.ts";
import { DELETE_STREAMS } from "./streams.ts";

/**
 * Deletes those of the runs that have ended: ids. A run with names is left as an unborn one whose names are all given up.
 * Answers how many, then the ids of those that have names to release.
 */
export const DELETE: string = `${PRELUDE}${VALUES}${DELETE_STREAMS}
local results = {0}
freeing()
local function delete(id)
  local row, names, messages = base .. 'r:' .. id, base .. 'n:' .. id, base .. 'i:' .. id
  local known = call('HMGET', row, 's', 'c', 'w', 'u', 'f')
  if not TERMINAL[known[1]] then return end
  results[1] = results[1] + 1

  local flat = call('HGETALL', names)
  for index = 1, #flat, 2 do
    call('HSET', names, flat[index], 'F' .. string.sub(flat[index + 1], 2, 17))
  end
  local sent = call('HGETALL', messages)
  for index = 1, #sent, 2 do
    local where = sent[index + 1]
    if string.sub(where, 1, 1) == '+' then
      local token = string.sub(where, 4 + struct.unpack('>I2', where, 2))
      call('HSET', names, 's' .. sent[index], 'F' .. string.rep('-', 16) .. token)
    end
  end
  if call('EXISTS', names) == 1 then
    call('ZADD', base .. 'unborn', 0, id)
    results[#results + 1] = id
  end

  local place = member(known[2], id)
  setAttributes(id, place, {keys = {}})
  for _, set in ipairs({'s:' .. known[1], 'w:' .. known[3], 'q:' .. known[4]}) do call('ZREM', base .. set, place) end
  deleteStreams(id)
  call('UNLINK', row, base .. 'v:' .. id, base .. 'j:' .. id, base .. 'm:' .. id, messages)
  if known[5] then call('ZREM', base .. 'ended', member(known[5], id)) end
end
while more() do delete(take()) end
return results
`;

/**
 * Gives up the names of runs that were announced and not created: milliseconds since then, limit. Answers their ids.
 */
export const SWEEP: string = `${PRELUDE}
local age, limit = tonumber(take()), take()
local time = call('TIME')
local ids = call('ZRANGEBYSCORE', base .. 'unborn', '-inf', time[1] * 1000 - age, 'LIMIT', 0, limit)
local results = {}
freeing()
for _, id in ipairs(ids) do
  if call('EXISTS', base .. 'r:' .. id) == 1 then
    call('ZREM', base .. 'unborn', id)
  else
    local names = base .. 'n:' .. id
    local flat = call('HGETALL', names)
    if #flat == 0 then call('ZREM', base .. 'unborn', id) end
    for index = 1, #flat, 2 do
      if string.sub(flat[index + 1], 1, 1) == 'P' then
        call('HSET', names, flat[index], 'F' .. string.sub(flat[index + 1], 2, 17))
      end
    end
    results[#results + 1] = id
  end
end
return results
`;
