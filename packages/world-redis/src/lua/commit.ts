import { CLOCK, PRELUDE } from "./prelude.ts";

/**
 * THE write verb. Per commit: id, epoch, claim id, seq, mailDone, 'h' and ttl, or 'p' and dueAt or '', or 'f' and '', then status
 * code or '', startedAt or '', completedAt or '', lostClaims or '', output and error ('+' and bytes, '-' for null, '' for
 * unchanged), bytes of the events' data, number of events, events, number of acts on hooks, acts: place of the event, then
 * '-' and hook id (dispose), '!' and name (the token is taken: the event says so already), or '+', hook id, its packed
 * length, name, mark and the event to write if the run has the token itself.
 *
 * Answers per commit: the run's mailSeq (committed), 'F' finished, 'E' fenced, 'R' a mark is void: announce it again,
 * {seq} out of step, or {mailSeq, conflict events, given up names and entries} where hooks were concerned.
 */
export const COMMIT: string = `${PRELUDE}${CLOCK}
local CONFLICT = 9
local requests = {}
while more() do
  local r = {id = take(), epoch = take(), claimId = take(), seq = tonumber(take()), mailDone = tonumber(take())}
  r.lease, r.leaseArg, r.status, r.startedAt, r.completedAt, r.lostClaims = take(), take(), take(), take(), take(), take()
  r.outputs = {}
  for _, field in ipairs({'output', 'error'}) do
    local sign = take()
    if sign ~= '' then r.outputs[#r.outputs + 1] = {field, sign, sign == '+' and take()} end
  end
  r.bytes = tonumber(take())
  r.events, r.acts = {}, {}
  for index = 1, tonumber(take()) do r.events[index] = take() end
  for index = 1, tonumber(take()) do
    local act = {at = tonumber(take()), sign = take(), hook = take()}
    if act.sign == '+' then act.live, act.name, act.mark, act.conflict = take(), take(), take(), take() end
    r.acts[index] = act
  end
  requests[#requests + 1] = r
end

local function isConflict(event) return event and string.byte(event) == CONFLICT end

-- The names of a run that are given up: name, entry ...
local function givenUp(names)
  local found = {}
  for name, entry in pairs(names) do
    if string.sub(entry, 1, 1) == 'F' then
      found[#found + 1] = name
      found[#found + 1] = entry
    end
  end
  return found
end

local function namesOf(id)
  local flat, names = call('HGETALL', base .. 'n:' .. id), {}
  for index = 1, #flat, 2 do names[flat[index]] = flat[index + 1] end
  return names
end

-- Works out what the commit makes of the run's names. Answers false if a mark is void.
local function actOnNames(r, names, changed)
  local function set(name, entry)
    names[name] = entry
    changed[name] = entry or false
  end
  for _, act in ipairs(r.acts) do
    if act.sign == '-' then
      for name, entry in pairs(names) do
        if string.sub(name, 1, 1) == 't' and string.sub(entry, 1, 1) == 'L' then
          local length = struct.unpack('>I2', entry, 18)
          if string.sub(entry, 20, 19 + length) == act.hook then set(name, 'F' .. string.sub(entry, 2, 17)) end
        end
      end
    elseif act.sign == '!' then
      local entry = names[act.hook]
      if entry and string.sub(entry, 1, 1) == 'P' then set(act.hook, nil) end
    else
      local entry = names[act.name]
      if entry and string.sub(entry, 1, 1) == 'L' then
        r.events[act.at] = act.conflict
      elseif entry and string.sub(entry, 2, 17) == act.mark then
        set(act.name, 'L' .. act.mark .. act.live .. act.hook .. string.format('%.0f', r.seq + act.at))
      else
        return false
      end
    end
  end
  if TERMINAL[r.status] then
    for name, entry in pairs(names) do
      if string.sub(name, 1, 1) == 't' then set(name, 'F' .. string.sub(entry, 2, 17)) end
    end
  end
  return true
end

local function commit(r)
  local row, journal = base .. 'r:' .. r.id, base .. 'j:' .. r.id
  local known = call('HMGET', row, 's', 'e', 'o', 'q', 'm', 'd', 'w', 'i', 'y', 'l')
  local status, owner, seq, workflow = known[1], known[3], tonumber(known[4]), known[7]
  if not status then return 'F' end
  local mailSeq, mailDone = tonumber(known[5] or 0), tonumber(known[6] or 0)
  local last = r.seq + #r.events
  local ours = known[2] == r.epoch and known[8] == r.claimId

  if ours and seq == last and (#r.events > 0 or not owner) then
    if #r.acts == 0 and not TERMINAL[status] then return mailSeq end
    local conflicts = {}
    for _, act in ipairs(r.acts) do
      if act.sign ~= '-' then
        local event = call('LINDEX', journal, r.seq + act.at - 1)
        if isConflict(event) then conflicts[#conflicts + 1] = event end
      end
    end
    return {mailSeq, conflicts, givenUp(namesOf(r.id))}
  end
  if TERMINAL[status] then return 'F' end
  if not ours or not owner then return 'E' end
  if seq ~= r.seq then return {seq} end
  -- A commit without events may park a run that cannot be read.
  if #r.events > 0 and call('LLEN', journal) ~= seq then return redis.error_reply('DAMAGED journal of a run: ' .. journal) end

  local ends = TERMINAL[r.status]
  local names, changed
  if #r.acts > 0 or ends then
    names, changed = namesOf(r.id), {}
    if not actOnNames(r, names, changed) then return 'R' end
  end

  push(journal, r.events)
  local bytes = string.format('%.0f', tonumber(known[9] or 0) + r.bytes)
  if r.mailDone > mailDone then
    local mailbox = base .. 'm:' .. r.id
    if r.mailDone >= mailSeq then call('DEL', mailbox) else call('LTRIM', mailbox, r.mailDone - mailDone, -1) end
    mailDone = r.mailDone
    call('HSET', row, 'q', last, 'y', bytes, 'd', mailDone)
  elseif #r.events > 0 then
    call('HSET', row, 'q', last, 'y', bytes)
  end
  if r.lostClaims ~= '' and r.lostClaims ~= (known[10] or '0') then call('HSET', row, 'l', r.lostClaims) end
  if r.status ~= '' and r.status ~= status then
    call('HSET', row, 's', r.status)
    call('ZREM', base .. 's:' .. status, r.id)
    call('ZADD', base .. 's:' .. r.status, 0, r.id)
  end
  if r.startedAt ~= '' then call('HSET', row, 'b', r.startedAt) end
  if r.completedAt ~= '' then
    call('HSET', row, 'f', r.completedAt)
    if ends then call('ZADD', base .. 'ended', r.completedAt, r.id) end
  end
  for _, value in ipairs(r.outputs) do
    if value[2] == '+' then
      local values = base .. 'v:' .. r.id
      call('HSET', row, 'v', 1)
      if call('TYPE', values).ok ~= 'hash' then call('DEL', values) end
      call('HSET', values, value[1], value[3])
    else
      call('HDEL', base .. 'v:' .. r.id, value[1])
      if call('EXISTS', base .. 'v:' .. r.id) == 0 then call('HDEL', row, 'v') end
    end
  end

  local due = base .. 'd:' .. workflow
  if r.lease == 'h' then
    -- A renewal that was sent after this commit may have come before it.
    call('ZADD', due, 'GT', now + tonumber(r.leaseArg), r.id)
  else
    call('HDEL', row, 'o')
    if r.lease == 'p' and mailSeq > mailDone then
      call('ZADD', due, now, r.id)
    elseif r.lease == 'p' and r.leaseArg ~= '' then
      call('ZADD', due, dueTime(r.leaseArg), r.id)
    else
      call('ZREM', due, r.id)
    end
  end

  if not names then return mailSeq end
  for name, entry in pairs(changed) do
    if entry then call('HSET', base .. 'n:' .. r.id, name, entry) else call('HDEL', base .. 'n:' .. r.id, name) end
  end
  local conflicts = {}
  for _, act in ipairs(r.acts) do
    if isConflict(r.events[act.at]) then conflicts[#conflicts + 1] = r.events[act.at] end
  end
  return {mailSeq, conflicts, givenUp(names)}
end

local results = {}
for index, request in ipairs(requests) do
  local result = commit(request)
  if type(result) == 'table' and result.err then return result end
  results[index] = result
end
return results
`;
