import { PRELUDE } from "./prelude.ts";

/** Scripts that write nothing. */

/** Rows: 'bare' where the payloads are not asked for, or '', then run ids. */
export const ROWS: string = `${PRELUDE}
local bare = take() == 'bare'
local results = {}
while more() do results[#results + 1] = rowOf(take(), bare) end
return results
`;

/**
 * Stretches of journals: id, seq after which to begin, how many events. Answers where the journal begins, then the events; the
 * first of them is that one where the stretch would begin before it.
 */
export const EVENTS: string = `${PRELUDE}
local function stretch(id, after, limit)
  local first = tonumber(call('HGET', base .. 'r:' .. id, 'j') or 1)
  local from = math.max(after + 1 - first, 0)
  if limit <= 0 then return {first} end
  local events = call('LRANGE', base .. 'j:' .. id, from, from + limit - 1)
  table.insert(events, 1, first)
  return events
end
local results = {}
while more() do results[#results + 1] = stretch(take(), tonumber(take()), tonumber(take())) end
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

/** End mail of a run: id, first and last place, counted from 0. */
export const END_MAIL: string = `${PRELUDE}
return call('LRANGE', base .. 'e:' .. take(), take(), take())
`;
