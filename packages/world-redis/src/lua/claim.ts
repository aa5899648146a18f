import { CLOCK, PRELUDE } from "./prelude.ts";

/**
 * Finds the runs that are to be taken first: `first(limit)` reads the rest of the arguments, 'q' and queues, or 'r' and run
 * ids. Gives at most `limit` that are due, {due time, id, queue, place of the queue} in their order, and when the first of the
 * others is due, or false. Of each queue no more entries are read than there is room for, and one.
 */
const FIRST = `
local function first(limit)
  local found, left = {}, false
  -- Tells whether it was the turn of this run.
  local function offer(run)
    if run.due <= now and #found < limit then
      found[#found + 1] = run
      return true
    end
    if not left or run.due < left then left = run.due end
    return false
  end
  if take() == 'q' then
    local place = 0
    while more() do
      local queue = take()
      place = place + 1
      local flat = call('ZRANGE', base .. 'd:' .. queue, 0, limit - #found, 'WITHSCORES')
      for index = 1, #flat, 2 do
        if not offer({due = tonumber(flat[index + 1]), id = flat[index], queue = queue, place = place}) then break end
      end
    end
  else
    local runs = {}
    while more() do
      local id = take()
      local queue = redis.pcall('HGET', base .. 'r:' .. id, 'u')
      local due = type(queue) == 'string' and call('ZSCORE', base .. 'd:' .. queue, id)
      if due then runs[#runs + 1] = {due = tonumber(due), id = id, queue = queue, place = 1} end
    end
    table.sort(runs, function(a, b) return a.due < b.due end)
    for _, run in ipairs(runs) do offer(run) end
  end
  return found, left
end
-- What cannot be read counts nothing: a claim finds it out.
local function bytesOf(run)
  local bytes = redis.pcall('HGET', base .. 'r:' .. run.id, 'y')
  return type(bytes) == 'string' and tonumber(bytes) or 0
end
`;

/**
 * What is due first: limit, then as `first` reads it. Answers the time, when the first of the others is due or false, then of
 * at most `limit` due runs the due time, the bytes of the journal and the place of the queue. Writes nothing.
 */
export const PEEK: string = `${PRELUDE}${CLOCK}${FIRST}
local found, left = first(tonumber(take()))
local results = {now, left}
for _, run in ipairs(found) do
  for _, value in ipairs({run.due, bytesOf(run), run.place}) do results[#results + 1] = value end
end
return results
`;

/**
 * Takes the runs that are due first: owner, claim id, ttl, limit, byteLimit, then as `first` reads it. Answers the time, the
 * due time of the first run that was left or false, then per run: whether its row named an owner, the claim id that it had or
 * false, the row, and its unread mail; or, where it cannot be read, what is wrong with it in place of the mail.
 *
 * A run whose row cannot be read cannot be leased: it is due again when a lease would run out, so that it holds up nobody.
 */
export const CLAIM: string = `${PRELUDE}${CLOCK}${FIRST}
local owner, claimId, ttl, limit, byteLimit = take(), take(), tonumber(take()), tonumber(take()), tonumber(take())
local found, left = first(limit)
local taken, bytes = {}, 0
for _, run in ipairs(found) do
  if #taken == 0 or bytes <= byteLimit then
    taken[#taken + 1] = run
    bytes = bytes + bytesOf(run)
  elseif not left or run.due < left then
    left = run.due
  end
end

-- Everything of a run that is not as its row says, or nil.
local function damageOf(id, length, unread, messages, hasValues, endSeq)
  local events = redis.pcall('LLEN', base .. 'j:' .. id)
  if type(events) == 'table' then return 'its journal cannot be read: ' .. events.err end
  if events ~= length then return 'its journal has ' .. events .. ' events, and its row says ' .. length end
  if messages.err then return 'its mailbox cannot be read: ' .. messages.err end
  if #messages ~= unread then return 'its mailbox has ' .. #messages .. ' messages, and its row says ' .. unread end
  if endSeq then
    local endMail = redis.pcall('LLEN', base .. 'e:' .. id)
    if type(endMail) == 'table' then return 'its end mail cannot be read: ' .. endMail.err end
    if endMail ~= tonumber(endSeq) then return 'its end mail has ' .. endMail .. ' messages, and its row says ' .. endSeq end
  end
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
  local known = redis.pcall('HMGET', row, 's', 'u', 'q', 'o', 'i', 'm', 'd', 'v', 'j', 'n')
  call('ZADD', base .. 'd:' .. run.queue, now + ttl, run.id)
  if known.err or not (known[1] and known[2] and known[3]) then
    local reason = 'its row cannot be read: ' .. (known.err or 'fields are missing')
    give(0, false, {run.id, false, false, false, false, 'u', run.queue, 's', 'r'}, reason)
  else
    call('HINCRBY', row, 'e', 1)
    call('HSET', row, 'o', owner, 'i', claimId)
    if known[4] then call('HINCRBY', row, 'l', 1) end
    local messages = redis.pcall('LRANGE', base .. 'm:' .. run.id, 0, -1)
    local unread = tonumber(known[6] or 0) - tonumber(known[7] or 0)
    local length = tonumber(known[3]) - tonumber(known[9] or 1) + 1
    local damage = damageOf(run.id, length, unread, messages, known[8], known[10])
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
  local known = redis.pcall('HMGET', base .. 'r:' .. id, 'e', 'o', 'm', 'u', 'i')
  local result = -1
  if not known.err and known[1] == epoch and known[5] == claimId and known[2] then
    call('ZADD', base .. 'd:' .. known[4], 'GT', now + ttl, id)
    result = tonumber(known[3] or 0)
  end
  results[#results + 1] = result
end
return results
`;
