import { GIVE_UP, HELD } from "./names.ts";
import { CLOCK, PRELUDE, VALUES } from "./prelude.ts";

/**
 * Reads the arguments of one commit: id, epoch, claim id, seq, mailDone, 'h' and ttl, or 'p' and dueAt or ''; number of changes
 * of numbers, per change its name (status, startedAt, completedAt, lostClaims, endDone, restart) and value; output, error and
 * state ('+' and bytes, '-' for null, '' for unchanged), '' or '+' and the queue, '' or '+' and attributes, bytes of the events'
 * data, number of events, events, number of acts on names, acts: '-' and id (release); or the place of an event, how it begins
 * where its claim was refused, then '!' and name (refused: the event says so already), or '+', name, mark, id, the entry
 * without its mark, and the event to write if the run has the name itself.
 */
const REQUEST = `
local function takeAct()
  local act = {sign = take()}
  if act.sign == '-' then
    act.id = take()
    return act
  end
  act.at, act.refused, act.name = tonumber(take()), take(), take()
  if act.sign == '+' then act.mark, act.id, act.details, act.conflict = take(), take(), take(), take() end
  return act
end
local function takeCommit()
  local r = {id = take(), epoch = take(), claimId = take(), seq = tonumber(take()), mailDone = tonumber(take())}
  r.lease, r.leaseArg = take(), take()
  for index = 1, tonumber(take()) do
    local change = take()
    r[change] = take()
  end
  r.outputs = {}
  for _, field in ipairs({'output', 'error', 'state'}) do
    local sign = take()
    if sign ~= '' then r.outputs[#r.outputs + 1] = {field, sign, sign == '+' and take()} end
  end
  r.queue = take() == '+' and take()
  r.attributes = take() == '+' and takeAttributes()
  r.bytes = tonumber(take())
  r.events, r.acts = {}, {}
  for index = 1, tonumber(take()) do r.events[index] = take() end
  for index = 1, tonumber(take()) do r.acts[index] = takeAct() end
  return r
end
`;

/** What a commit does about names: worked out first, for a mark may be void, and written with the rest. */
const NAMES = `
-- Answers how the entries of names change ('L' and 'P' as they are stored; 'G' an entry that is given up, 'W' taken back), and
-- the names under ids (false: none any more); or nothing if a mark is void.
local function actOnNames(r)
  local stored, entries, ids = base .. 'n:' .. r.id, {}, {}
  local function entryOf(name)
    return entries[name] or call('HGET', stored, '=' .. name) or ''
  end
  local function release(id)
    local name = ids[id]
    if name == nil then name = call('HGET', stored, '#' .. id) end
    if not name then return end
    entries[name] = 'G' .. string.sub(entryOf(name), 2)
    ids[id] = false
  end
  for _, act in ipairs(r.acts) do
    if act.sign == '-' then
      release(act.id)
    else
      local entry = entryOf(act.name)
      local state = string.sub(entry, 1, 1)
      if act.sign == '!' then
        if state == 'P' then entries[act.name] = 'W' end
      elseif state == 'L' then
        r.events[act.at] = act.conflict
      elseif entry ~= '' and string.sub(entry, 2, 17) == act.mark then
        entries[act.name] = 'L' .. act.mark .. act.details
        ids[act.id] = act.name
      else
        return
      end
    end
  end
  if TERMINAL[r.status] then
    local flat = call('HGETALL', stored)
    for index = 1, #flat, 2 do
      local name = string.sub(flat[index], 2)
      if string.sub(flat[index], 1, 1) == '=' then
        local entry = entries[name] or flat[index + 1]
        local state = string.sub(entry, 1, 1)
        if state == 'P' then entries[name] = 'C' .. string.sub(entry, 2) end
        if state == 'L' and isOver(entry, r.completedAt) then release(idIn(entry)) end
      end
    end
  end
  return entries, ids
end

local function writeNames(id, entries, ids)
  local stored, left = base .. 'n:' .. id, base .. 'g:' .. id
  for name, entry in pairs(entries) do
    local state = string.sub(entry, 1, 1)
    if state == 'L' then
      call('HSET', stored, '=' .. name, entry)
    else
      call('HDEL', stored, '=' .. name)
      if state == 'G' then call('SADD', left, 'h' .. string.sub(entry, 2, 17) .. name) end
      if state == 'C' then call('SADD', left, 'c' .. string.sub(entry, 2, 17) .. name) end
    end
  end
  for held, name in pairs(ids) do
    if name then call('HSET', stored, '#' .. held, name) else call('HDEL', stored, '#' .. held) end
  end
end

-- Per claim its event where it was refused, else false.
local function refusedOf(r, eventAt)
  local refused = {}
  for _, act in ipairs(r.acts) do
    if act.sign ~= '-' then
      local event = eventAt(act.at) or ''
      refused[#refused + 1] = string.sub(event, 1, #act.refused) == act.refused and event
    end
  end
  return refused
end
`;

/** A journal that begins anew. */
const RESTART = `
local WEEK = 7 * 24 * 60 * 60 * 1000
local FORGOTTEN_AT_ONCE = 10000

-- Consumed messages are forgotten a week after they came.
local function forgetMessages(id, unread)
  local order, places = base .. 'h:' .. id, base .. 'i:' .. id
  local consumed = math.min(call('LLEN', order) - unread, FORGOTTEN_AT_ONCE)
  local forgotten = 0
  for _, messageId in ipairs(consumed > 0 and call('LRANGE', order, 0, consumed - 1) or {}) do
    local place = call('HGET', places, messageId)
    if struct.unpack('>d', place) > now - WEEK then break end
    call('HDEL', places, messageId)
    leaveAddress(id, messageId, place)
    forgotten = forgotten + 1
  end
  if forgotten > 0 then call('LTRIM', order, forgotten, -1) end
end
local function restart(id, seq, unread)
  local row = base .. 'r:' .. id
  call('UNLINK', base .. 'j:' .. id)
  call('HINCRBY', row, 'g', 1)
  call('HSET', row, 'j', seq + 1)
  forgetMessages(id, unread)
end
`;

/**
 * THE write verb. Answers per commit: the run's mailSeq (committed), 'F' finished, 'E' fenced, 'R' a mark is void: announce it
 * again, {seq} out of step, or, where there is more to say, {mailSeq, endSeq, the event of each claim that was refused, else
 * false, what the run has left in other partitions}.
 */
export const COMMIT: string = `${PRELUDE}${CLOCK}${VALUES}${HELD}${GIVE_UP}${REQUEST}${NAMES}${RESTART}
local function commit(r)
  local row, journal = base .. 'r:' .. r.id, base .. 'j:' .. r.id
  local known = call('HMGET', row, 's', 'e', 'o', 'q', 'm', 'd', 'u', 'i', 'y', 'l', 'c', 'j', 'n', 'z')
  local status, owner, seq, queue = known[1], known[3], tonumber(known[4]), known[7]
  if not status then return 'F' end
  local mailSeq, mailDone, first = tonumber(known[5] or 0), tonumber(known[6] or 0), tonumber(known[12] or 1)
  local endSeq, endDone = tonumber(known[13] or 0), tonumber(known[14] or 0)
  local last = r.seq + #r.events
  local ours = known[2] == r.epoch and known[8] == r.claimId
  local function committed(eventAt, mayLeave)
    if endSeq == 0 and not mayLeave then return mailSeq end
    return {mailSeq, endSeq, refusedOf(r, eventAt), mayLeave and call('SMEMBERS', base .. 'g:' .. r.id) or {}}
  end

  if ours and seq == last and (#r.events > 0 or not owner) then
    local mayLeave = #r.acts > 0 or r.restart or TERMINAL[r.status]
    return committed(function(place) return call('LINDEX', journal, r.seq + place - first) end, mayLeave)
  end
  local holds = ours and owner
  if TERMINAL[status] and (not holds or #r.events > 0) then return 'F' end
  if not holds then return 'E' end
  if seq ~= r.seq then return {seq} end
  -- A commit without events may park a run that cannot be read.
  if #r.events > 0 and call('LLEN', journal) ~= seq - first + 1 then
    return redis.error_reply('DAMAGED journal of a run: ' .. journal)
  end

  local ends = TERMINAL[r.status]
  local entries, ids
  if #r.acts > 0 or ends then
    entries, ids = actOnNames(r)
    if not entries then return 'R' end
  end

  local unread = mailSeq - math.max(r.mailDone, mailDone)
  if r.restart then restart(r.id, seq, unread) end
  push(journal, r.events)
  local bytes = string.format('%.0f', (r.restart and 0 or tonumber(known[9] or 0)) + r.bytes)
  if r.mailDone > mailDone then
    local mailbox = base .. 'm:' .. r.id
    if unread <= 0 then call('DEL', mailbox) else call('LTRIM', mailbox, r.mailDone - mailDone, -1) end
    call('HSET', row, 'q', last, 'y', bytes, 'd', r.mailDone)
  elseif #r.events > 0 then
    call('HSET', row, 'q', last, 'y', bytes)
  end
  if tonumber(r.endDone or 0) > endDone then
    endDone = tonumber(r.endDone)
    call('HSET', row, 'z', endDone)
  end
  if r.lostClaims and r.lostClaims ~= (known[10] or '0') then call('HSET', row, 'l', r.lostClaims) end
  if r.status and r.status ~= status then
    call('HSET', row, 's', r.status)
    local place = member(known[11], r.id)
    call('ZREM', base .. 's:' .. status, place)
    call('ZADD', base .. 's:' .. r.status, 0, place)
  end
  if r.startedAt then call('HSET', row, 'b', r.startedAt) end
  if r.completedAt then
    call('HSET', row, 'f', r.completedAt)
    if ends then call('ZADD', base .. 'ended', 0, member(r.completedAt, r.id)) end
  end
  for _, value in ipairs(r.outputs) do setValue(r.id, value[1], value[2] == '+' and value[3]) end
  if r.attributes then setAttributes(r.id, member(known[11], r.id), r.attributes) end
  if r.queue and r.queue ~= queue then
    local place, leased = member(known[11], r.id), call('ZSCORE', base .. 'd:' .. queue, r.id)
    call('HSET', row, 'u', r.queue)
    call('ZREM', base .. 'd:' .. queue, r.id)
    call('ZREM', base .. 'q:' .. queue, place)
    call('ZADD', base .. 'q:' .. r.queue, 0, place)
    if leased then call('ZADD', base .. 'd:' .. r.queue, leased, r.id) end
    queue = r.queue
  end

  local due = base .. 'd:' .. queue
  if r.lease == 'h' then
    -- A renewal that was sent after this commit may have come before it.
    call('ZADD', due, 'GT', now + tonumber(r.leaseArg), r.id)
  else
    call('HDEL', row, 'o')
    if unread > 0 or (TERMINAL[r.status or status] and endSeq > endDone) then
      call('ZADD', due, now, r.id)
    elseif r.leaseArg ~= '' then
      -- A worker's time follows this store's.
      call('ZADD', due, r.leaseArg, r.id)
    else
      call('ZREM', due, r.id)
    end
  end

  if entries then writeNames(r.id, entries, ids) end
  local mayLeave = #r.acts > 0 or r.restart or (entries and next(entries))
  return committed(function(place) return r.events[place] end, mayLeave)
end

local results = {}
while more() do
  local result = commit(takeCommit())
  if type(result) == 'table' and result.err then return result end
  results[#results + 1] = result
end
return results
`;
