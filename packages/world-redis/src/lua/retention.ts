import { GIVE_UP } from "./names.ts";
import { PRELUDE, VALUES } from "./prelude.ts";
import { DELETE_STREAMS } from "./streams.ts";

/** For scripts that give up all names of a run. */
const ABANDON = `
local function abandon(id)
  local flat = call('HGETALL', base .. 'n:' .. id)
  for index = 1, #flat, 2 do
    if string.sub(flat[index], 1, 1) == '=' then giveUp(id, string.sub(flat[index], 2), flat[index + 1]) end
  end
end
`;

/**
 * Deletes those of the runs that have ended and have no work left: ids. A run that has left something in other partitions stays
 * as an unborn one. Answers how many, then the ids of those.
 */
export const DELETE: string = `${PRELUDE}${VALUES}${GIVE_UP}${ABANDON}${DELETE_STREAMS}
local results = {0}
freeing()
local function delete(id)
  local row, messages = base .. 'r:' .. id, base .. 'i:' .. id
  local known = call('HMGET', row, 's', 'c', 'w', 'u', 'f', 'o')
  if not TERMINAL[known[1]] or known[6] or call('ZSCORE', base .. 'd:' .. known[4], id) then return end
  results[1] = results[1] + 1

  abandon(id)
  local sent = call('HGETALL', messages)
  for index = 1, #sent, 2 do leaveAddress(id, sent[index], sent[index + 1]) end
  if call('EXISTS', base .. 'g:' .. id) == 1 then
    call('ZADD', base .. 'unborn', 0, id)
    results[#results + 1] = id
  end

  local place = member(known[2], id)
  setAttributes(id, place, {keys = {}})
  for _, set in ipairs({'s:' .. known[1], 'w:' .. known[3], 'q:' .. known[4]}) do call('ZREM', base .. set, place) end
  deleteStreams(id)
  call('UNLINK', row, messages, base .. 'v:' .. id, base .. 'j:' .. id, base .. 'm:' .. id, base .. 'h:' .. id, base .. 'e:' .. id)
  if known[5] then call('ZREM', base .. 'ended', member(known[5], id)) end
end
while more() do delete(take()) end
return results
`;

/**
 * Gives up the names of runs that were announced and not created: milliseconds since then, limit. Answers their ids.
 */
export const SWEEP: string = `${PRELUDE}${GIVE_UP}${ABANDON}
local age, limit = tonumber(take()), take()
local time = call('TIME')
local ids = call('ZRANGEBYSCORE', base .. 'unborn', '-inf', time[1] * 1000 - age, 'LIMIT', 0, limit)
local results = {}
freeing()
for _, id in ipairs(ids) do
  if call('EXISTS', base .. 'r:' .. id) == 1 then
    call('ZREM', base .. 'unborn', id)
  else
    abandon(id)
    if call('EXISTS', base .. 'g:' .. id) == 0 then call('ZREM', base .. 'unborn', id) end
    results[#results + 1] = id
  end
end
return results
`;
