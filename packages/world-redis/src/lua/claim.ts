import { CLOCK, PRELUDE } from "./prelude.ts";

/** Finds the runs that are due first: `first(workflows, limit)` gives {due time, id, workflow} in that order. */
const FIRST = `
local function first(workflows, limit)
  local found = {}
  for _, workflow in ipairs(workflows) do
    local flat = call('ZRANGE', base .. 'd:' .. workflow, 0, limit - 1, 'WITHSCORES')
    for index = 1, #flat, 2 do
      found[#found + 1] = {due = tonumber(flat[index + 1]), id = flat[index], workflow = workflow}
    end
  end
  if #workflows > 1 then table.sort(found, function(a, b) return a.due < b.due end) end
  return found
end
-- What cannot be read counts nothing: a claim finds it out.
local function bytesOf(run)
  local bytes = redis.pcall('HGET', base .. 'r:' .. run.id, 'y')
  return type(bytes) == 'string' and tonumber(bytes) or 0
end
local function rest()
  local values = {}
  while more() do values[#values + 1] = take() end
  return values
end
`;

/**
 * What is due first: limit, workflows. Answers the time, then at most `limit` due times with the bytes of their journals.
 * Writes nothing.
 */
export const PEEK: string = `${PRELUDE}${CLOCK}${FIRST}
local limit = tonumber(take())
local results = {now}
for index, run in ipairs(first(rest(), limit)) do
  if index > limit then break end
  results[#results + 1] = run.due
  results[#results + 1] = bytesOf(run)
end
return results
`;

/**
 * Takes the runs that are due first: owner, claim id, ttl, limit, byteLimit, workflows. Answers the time, the due time of
 * the first run that was left or false, then per run: whether its row named an owner, the claim id that it had or false,
 * the row, and its unread mail; or, where it cannot be read, what is wrong with it in place of the mail.
 *
 * A run whose row cannot be read cannot be leased: it is due again when a lease would run out, so that it holds up nobody.
 */
export const CLAIM: string = `${PRELUDE}${CLOCK}${FIRST}
local owner, claimId, ttl, limit, byteLimit = take(), take(), tonumber(take()), tonumber(take()), tonumber(take())
local taken, left, bytes = {}, false, 0
for _, run in ipairs(first(rest(), limit + 1)) do
  if #taken < limit and run.due <= now and (#taken == 0 or bytes <= byteLimit) then
    taken[#taken + 1] = run
    bytes = bytes + bytesOf(run)
  else
    left = run.due
    break
  end
end

-- Everything of a run that is not as its row says, or nil.
local function damageOf(id, seq, unread, messages, hasValues)
  local events = redis.pcall('LLEN', base .. 'j:' .. id)
  if type(events) == 'table' then return 'its journal cannot be read: ' .. events.err end
  if events ~= seq then return 'its journal has ' .. events .. ' events, and its row says ' .. seq end
  if messages.err then return 'its mailbox cannot be read: ' .. messages.err end
  if #messages ~= unread then return 'its mailbox has ' .. #messages .. ' messages, and its row says ' .. unread end
  local values = redis.pcall('TYPE', base .. 'v:' .. id)
  if values.ok ~= 'none' and values.ok ~= 'hash' then return 'its result cannot be read: it is a ' .. values.ok end
  if hasValues and values.ok == 'none' then return 'its result is gone' end
end

local results = {now, left}
local function give(lost, lastClaimId, row, mail)
  for _, value in ipairs({lost, lastClaimId, row, mail}) do results[#results + 1] = value end
end
for _, run in ipairs(taken) do
  local row = base .. 'r:' .. run.id
  local known = redis.pcall('HMGET', row, 's', 'w', 'q', 'o', 'i', 'm', 'd', 'v')
  call('ZADD', base .. 'd:' .. run.workflow, now + ttl, run.id)
  if known.err or not (known[1] and known[2] and known[3]) then
    local reason = 'its row cannot be read: ' .. (known.err or 'fields are missing')
    give(0, false, {run.id, false, false, false, 'w', run.workflow, 's', 'r'}, reason)
  else
    call('HINCRBY', row, 'e', 1)
    call('HSET', row, 'o', owner, 'i', claimId)
    if known[4] then call('HINCRBY', row, 'l', 1) end
    local messages = redis.pcall('LRANGE', base .. 'm:' .. run.id, 0, -1)
    local unread = tonumber(known[6] or 0) - tonumber(known[7] or 0)
    local damage = damageOf(run.id, tonumber(known[3]), unread, messages, known[8])
    give(known[4] and 1 or 0, known[5], rowOf(run.id, damage), damage or messages)
  end
end
return results
`;

/** Extends leases: ttl, then per lease id, epoch and claim id. Answers per lease its run's mailSeq, or -1 if it is lost. */
export const RENEW: string = `${PRELUDE}${CLOCK}
local ttl = tonumber(take())
local results = {}
while more() do
  local id, epoch, claimId = take(), take(), take()
  -- A row that cannot be read costs the other leases nothing.
  local known = redis.pcall('HMGET', base .. 'r:' .. id, 'e', 'o', 'm', 'w', 'i')
  local result = -1
  if not known.err and known[1] == epoch and known[5] == claimId and known[2] then
    call('ZADD', base .. 'd:' .. known[4], 'GT', now + ttl, id)
    result = tonumber(known[3] or 0)
  end
  results[#results + 1] = result
end
return results
`;
