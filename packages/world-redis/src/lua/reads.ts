import { PRELUDE } from "./prelude.ts";

/** Scripts that write nothing. */

/** Rows: 'bare' where the payloads are not asked for, or '', then run ids. */
export const ROWS: string = `${PRELUDE}
local bare = take() == 'bare'
local results = {}
while more() do results[#results + 1] = rowOf(take(), bare) end
return results
`;

/** Stretches of journals: id, first and last place, counted from 0. */
export const EVENTS: string = `${PRELUDE}
local results = {}
while more() do results[#results + 1] = call('LRANGE', base .. 'j:' .. take(), take(), take()) end
return results
`;

/** Unread messages of run ids: mailDone, then the messages. */
export const MAIL: string = `${PRELUDE}
local results = {}
while more() do
  local id = take()
  local messages = call('LRANGE', base .. 'm:' .. id, 0, -1)
  table.insert(messages, 1, tonumber(call('HGET', base .. 'r:' .. id, 'd') or 0))
  results[#results + 1] = messages
end
return results
`;

/**
 * Members of sorted sets in their order: 'asc' or 'desc', where to begin (as ZRANGEBYLEX takes it), how many, then the
 * sets.
 */
export const MEMBERS: string = `${PRELUDE}
local order, from, limit = take(), take(), take()
local results = {}
while more() do
  local set = base .. take()
  if order == 'asc' then
    results[#results + 1] = call('ZRANGEBYLEX', set, from, '+', 'LIMIT', 0, limit)
  else
    results[#results + 1] = call('ZREVRANGEBYLEX', set, from, '-', 'LIMIT', 0, limit)
  end
end
return results
`;

/** Claims of names, or false. */
export const CLAIMS: string = `${PRELUDE}
local results = {}
while more() do results[#results + 1] = call('HGET', base .. 'names', take()) end
return results
`;

/** Hooks of runs: id, token's name, mark. Answers per hook false, or its entry and its event. */
export const HOOKS: string = `${PRELUDE}
local results = {}
while more() do
  local id, name, mark = take(), take(), take()
  local entry = call('HGET', base .. 'n:' .. id, name)
  local result = false
  if entry and string.sub(entry, 1, 17) == 'L' .. mark then
    local length = struct.unpack('>I2', entry, 18)
    local event = call('LINDEX', base .. 'j:' .. id, tonumber(string.sub(entry, 20 + length)) - 1)
    result = {entry, event}
  end
  results[#results + 1] = result
end
return results
`;

/** Every token name of a run with its entry. */
export const TOKENS_OF_RUN: string = `${PRELUDE}
return call('HGETALL', base .. 'n:' .. take())
`;
