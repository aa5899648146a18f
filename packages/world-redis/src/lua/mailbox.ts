import { CLOCK, PRELUDE } from "./prelude.ts";

/**
 * In the run's partition. Per message: run id, message id, packed message, mark of the hook or '', then with a mark the
 * hook's name.
 *
 * Answers per message: {state, hook} where state is 'W' delivered and the run is due, 'D' delivered, 'S' delivered
 * before; or 'N' no such run, 'F' finished, 'G' the run does not have that hook.
 */
export const DELIVER: string = `${PRELUDE}${CLOCK}
local function deliver(id, messageId, message, mark, name)
  local ids = base .. 'i:' .. id
  local sent = call('HGET', ids, messageId)
  if sent then return {'S', sent} end

  local hook = '-'
  if name then
    local entry = call('HGET', base .. 'n:' .. id, name)
    if not entry or string.sub(entry, 1, 17) ~= 'L' .. mark then return 'G' end
    hook = '+' .. string.sub(entry, 18, 19 + struct.unpack('>I2', entry, 18))
  end
  local row = base .. 'r:' .. id
  local known = call('HMGET', row, 's', 'o', 'u')
  if not known[1] then return 'N' end
  if TERMINAL[known[1]] then return 'F' end

  call('HINCRBY', row, 'm', 1)
  call('RPUSH', base .. 'm:' .. id, hook .. message)
  call('HSET', ids, messageId, hook .. (name or ''))
  if known[2] then return {'D', hook} end
  -- A run that was due already keeps its place in the queue.
  call('ZADD', base .. 'd:' .. known[3], 'LT', now, id)
  return {'W', hook}
end

local results = {}
while more() do
  local id, messageId, message, mark = take(), take(), take(), take()
  local name
  if mark ~= '' then name = take() end
  results[#results + 1] = deliver(id, messageId, message, mark, name)
end
return results
`;

/**
 * In a token's partition: finds out where a message goes, and writes it down. First the milliseconds for which an
 * address is kept that is not confirmed; per message: token's name, message id, the claim that is known to be void, or
 * ''. Answers per message the claim of the hook, or false.
 */
export const ADDRESS: string = `${PRELUDE}
local ttl = take()
local results = {}
while more() do
  local name, messageId, void = take(), take(), take()
  local sent = base .. 'sent:' .. messageId
  local claim = call('GET', sent)
  if not claim or claim == void then
    claim = call('HGET', base .. 'names', name)
    if claim == void then claim = false end
    if claim then call('SET', sent, claim, 'PX', ttl) end
  end
  results[#results + 1] = claim
end
return results
`;

/** In a token's partition: keeps addresses for as long as their runs are stored. Message ids. */
export const CONFIRM: string = `${PRELUDE}
while more() do call('PERSIST', base .. 'sent:' .. take()) end
return 0
`;
