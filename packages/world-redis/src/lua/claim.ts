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
local function rest()
  local values = {}
  while more() do values[#values + 1] = take() end
  return values
end
`;

/** What is due first: limit, workflows. Answers the time, then at most `limit` due times. Writes nothing. */
export const PEEK: string = `${PRELUDE}${CLOCK}${FIRST}
local limit = tonumber(take())
local results = {now}
for index, run in ipairs(first(rest(), limit)) do
  if index > limit then break end
  results[#results + 1] = run.due
end
return results
`;

/**
 * Takes the runs that are due first: owner, ttl, limit, workflows. Answers the time, the due time of the first run that
 * was left or false, then per run: whether its row named an owner, the row, and its unread mail.
 */
export const CLAIM: string = `${PRELUDE}${CLOCK}${FIRST}
local owner, ttl, limit = take(), tonumber(take()), tonumber(take())
local taken, left = {}, false
for _, run in ipairs(first(rest(), limit + 1)) do
  if #taken < limit and run.due <= now then
    taken[#taken + 1] = run
  else
    left = run.due
    break
  end
end

local results = {now, left}
for _, run in ipairs(taken) do
  local row = base .. 'r:' .. run.id
  local lost = call('HEXISTS', row, 'o')
  call('HINCRBY', row, 'e', 1)
  call('HSET', row, 'o', owner)
  call('ZADD', base .. 'd:' .. run.workflow, now + ttl, run.id)
  results[#results + 1] = lost
  results[#results + 1] = rowOf(run.id)
  results[#results + 1] = call('LRANGE', base .. 'm:' .. run.id, 0, -1)
end
return results
`;

/** Extends leases: ttl, then per lease id and epoch. Answers per lease its run's mailSeq, or -1 if it is lost. */
export const RENEW: string = `${PRELUDE}${CLOCK}
local ttl = tonumber(take())
local results = {}
while more() do
  local id, epoch = take(), take()
  local known = call('HMGET', base .. 'r:' .. id, 'e', 'o', 'm', 'w')
  local result = -1
  if known[1] == epoch and known[2] then
    call('ZADD', base .. 'd:' .. known[4], 'GT', now + ttl, id)
    result = tonumber(known[3] or 0)
  end
  results[#results + 1] = result
end
return results
`;
