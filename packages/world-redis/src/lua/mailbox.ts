import { CHAIN, HELD } from "./names.ts";
import { CLOCK, PRELUDE } from "./prelude.ts";

/**
 * For scripts that put messages into a run's mailbox. The message's place is written down under its id: when it came, what in
 * the run it is for, and the name over which it came.
 */
export const PUT = `
local function remember(id, messageId, target, name)
  call('HSET', base .. 'i:' .. id, messageId, struct.pack('>d', now) .. target .. name)
end
local function put(id, messageId, message, target, name)
  call('RPUSH', base .. 'm:' .. id, target .. message)
  call('RPUSH', base .. 'h:' .. id, messageId)
  remember(id, messageId, target, name)
end
`;

/**
 * In the run's partition. Per message: run id, message id, packed message, then '=', name and mark; or '+', and what in the run
 * it is for, as the mailbox has it; or 'e' and the same for end mail.
 *
 * Answers per message: {state, target …} where state is 'W' delivered and the run is due, 'D' delivered, 'E' delivered as end
 * mail, 'S' delivered before; or 'N' no such run, 'F' finished, 'G' the run does not have that name.
 */
export const DELIVER: string = `${PRELUDE}${CLOCK}${HELD}${PUT}
local function deliver(id, messageId, message, kind, target, mark)
  local sent = call('HGET', base .. 'i:' .. id, messageId)
  if sent then return {'S', string.sub(sent, 9)} end

  local name = ''
  if kind == '=' then
    name = target
    local state, entry = look(id, name, mark)
    if state ~= 'L' then return 'G' end
    local held = idIn(entry)
    target = '=' .. struct.pack('>I2', #held) .. held
  end
  local row = base .. 'r:' .. id
  local known = call('HMGET', row, 's', 'o', 'u')
  if not known[1] then return 'N' end
  if TERMINAL[known[1]] then return 'F' end

  if kind == 'e' then
    call('HINCRBY', row, 'n', 1)
    call('RPUSH', base .. 'e:' .. id, target .. message)
    remember(id, messageId, target, '')
    return {'E', target}
  end
  call('HINCRBY', row, 'm', 1)
  put(id, messageId, message, target, name)
  if known[2] then return {'D', target} end
  -- A run that was due already keeps its place in the queue.
  call('ZADD', base .. 'd:' .. known[3], 'LT', now, id)
  return {'W', target}
end

local results = {}
while more() do
  local id, messageId, message, kind, target = take(), take(), take(), take(), take()
  results[#results + 1] = deliver(id, messageId, message, kind, target, kind == '=' and take())
end
return results
`;

/**
 * In a name's partition: finds out where a message goes, and writes it down. First the milliseconds for which an
 * address is kept that is not confirmed; per message: name, message id, the claim that is known not to take it, or
 * ''. Answers per message a claim, or false.
 */
export const ADDRESS: string = `${PRELUDE}${CHAIN}
local ttl = take()
local function firstClaim(name, other)
  local chain, claim = call('HGET', base .. 'names', name) or '', ''
  while chain ~= '' do
    claim, chain = headOf(chain)
    if claim ~= other then return claim end
  end
  return false
end
local results = {}
while more() do
  local name, messageId, refused = take(), take(), take()
  local sent = base .. 'sent:' .. messageId
  local claim = call('GET', sent)
  if not claim or claim == refused then
    claim = firstClaim(name, refused)
    if claim then call('SET', sent, claim, 'PX', ttl) end
  end
  results[#results + 1] = claim
end
return results
`;

/** In a name's partition: keeps addresses for as long as their runs are stored. Message ids. */
export const CONFIRM: string = `${PRELUDE}
while more() do call('PERSIST', base .. 'sent:' .. take()) end
return 0
`;

/** In the runs' partition. Per message: run id, message id. Answers per message 1 if the run has got it, else 0. */
export const HAS_MAIL: string = `${PRELUDE}
local results = {}
while more() do results[#results + 1] = call('HEXISTS', base .. 'i:' .. take(), take()) end
return results
`;
