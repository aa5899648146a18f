import { CLOCK, PRELUDE } from "./prelude.ts";

/** The scripts of the protocol in `names.ts`. */

/**
 * In a run's partition, before a commit that asks for tokens. Per commit: id, epoch, claim id, seq, number of names, then names
 * with a new mark each.
 *
 * Answers per commit false where it cannot be written (or is written already), else an entry per name: the mark to use,
 * 16 characters, after 'P' where the name has to be reserved under it, 'L' where the run has the name.
 */
export const ANNOUNCE: string = `${PRELUDE}
local function announce()
  local id, epoch, claimId, seq, count = take(), take(), take(), take(), tonumber(take())
  local asked = {}
  for index = 1, count do asked[index] = {take(), take()} end

  local row = call('HMGET', base .. 'r:' .. id, 's', 'e', 'o', 'q', 'i')
  if not row[1] or TERMINAL[row[1]] or not row[3] or row[4] ~= seq then return false end
  if row[2] ~= epoch or row[5] ~= claimId then return false end
  local names, entries = base .. 'n:' .. id, {}
  for index, pair in ipairs(asked) do
    local entry = call('HGET', names, pair[1])
    if not entry or string.sub(entry, 1, 1) == 'F' then
      entry = 'P' .. pair[2]
      call('HSET', names, pair[1], entry)
    end
    entries[index] = string.sub(entry, 1, 17)
  end
  return entries
end

local results = {}
while more() do results[#results + 1] = announce() end
return results
`;

/**
 * In a run's partition, before a run with a start key is created. Per run: id, name, new mark. Answers false where the
 * run exists, else the mark to use.
 */
export const ANNOUNCE_RUN: string = `${PRELUDE}
local time = call('TIME')
local results = {}
while more() do
  local id, name, mark = take(), take(), take()
  local result = false
  if call('EXISTS', base .. 'r:' .. id) == 0 then
    local entry = call('HGET', base .. 'n:' .. id, name)
    if entry and string.sub(entry, 1, 1) == 'P' then
      result = string.sub(entry, 2, 17)
    else
      call('HSET', base .. 'n:' .. id, name, 'P' .. mark)
      call('ZADD', base .. 'unborn', time[1] * 1000, id)
      result = mark
    end
  end
  results[#results + 1] = result
end
return results
`;

/**
 * In a name's partition. Per name: name, the claim (mark and run id), the claim that may be replaced, or ''. Answers
 * per name false where it now has the caller's claim, else the claim that it has.
 */
export const RESERVE: string = `${PRELUDE}
local results = {}
while more() do
  local name, claim, void = take(), take(), take()
  local current = call('HGET', base .. 'names', name)
  local result = false
  if not current or current == void then
    call('HSET', base .. 'names', name, claim)
    if string.sub(name, 1, 1) == 't' then call('ZADD', base .. 'tokens', 0, string.sub(name, 2)) end
  elseif current ~= claim then
    result = current
  end
  results[#results + 1] = result
end
return results
`;

/**
 * In the partition of the run that a claim names. Per claim: id, name, mark, 'force' or ''. Answers per claim: 'D' it
 * is void for ever, 'P' it is not decided yet, or the run has the name: for a token 'L', for a start key fingerprint and
 * row. 'force' makes void what is not decided.
 */
export const INSPECT: string = `${PRELUDE}${CLOCK}
local function inspect(id, name, mark, force)
  local entry = call('HGET', base .. 'n:' .. id, name)
  if not entry or string.sub(entry, 2, 17) ~= mark then return 'D' end
  local state = string.sub(entry, 1, 1)
  if state == 'P' then
    if force ~= 'force' then return 'P' end
    call('HDEL', base .. 'n:' .. id, name)
    if call('EXISTS', base .. 'n:' .. id) == 0 then call('ZREM', base .. 'unborn', id) end
    return 'D'
  end
  if state ~= 'L' then return 'D' end
  if string.sub(name, 1, 1) == 't' then return 'L' end
  local colon = string.find(entry, ':', 18, true)
  local expiresAt = tonumber(string.sub(entry, 18, colon - 1))
  local row = rowOf(id)
  if expiresAt and expiresAt <= now and TERMINAL[call('HGET', base .. 'r:' .. id, 's')] then return 'D' end
  return {string.sub(entry, colon + 1), row}
end

local results = {}
while more() do results[#results + 1] = inspect(take(), take(), take(), take()) end
return results
`;

/** In a run's partition: takes announcements back. Per name: id, name, mark. */
export const WITHDRAW: string = `${PRELUDE}
while more() do
  local id, name, mark = take(), take(), take()
  local names = base .. 'n:' .. id
  if call('HGET', names, name) == 'P' .. mark then
    call('HDEL', names, name)
    if call('EXISTS', names) == 0 then call('ZREM', base .. 'unborn', id) end
  end
end
return 0
`;

/** In a run's partition. Answers per run id its names that are given up and wait to be released: name, entry … */
export const GIVEN_UP: string = `${PRELUDE}
local results = {}
while more() do
  local pairs = call('HGETALL', base .. 'n:' .. take())
  local found = {}
  for index = 1, #pairs, 2 do
    if string.sub(pairs[index + 1], 1, 1) == 'F' then
      found[#found + 1] = pairs[index]
      found[#found + 1] = pairs[index + 1]
    end
  end
  results[#results + 1] = found
end
return results
`;

/** In a name's partition: removes claims. Per name: name, mark, run id. A later claim stays. */
export const RELEASE: string = `${PRELUDE}
while more() do
  local name, mark, id = take(), take(), take()
  if string.sub(name, 1, 1) == 's' then
    local sent = base .. 'sent:' .. string.sub(name, 2)
    local claim = call('GET', sent)
    if claim and string.sub(claim, 17) == id then call('DEL', sent) end
  elseif call('HGET', base .. 'names', name) == mark .. id then
    call('HDEL', base .. 'names', name)
    if string.sub(name, 1, 1) == 't' then call('ZREM', base .. 'tokens', string.sub(name, 2)) end
  end
end
return 0
`;

/** In a run's partition: forgets names that are released. Per name: id, name, entry. */
export const FORGET: string = `${PRELUDE}
while more() do
  local id, name, entry = take(), take(), take()
  local names = base .. 'n:' .. id
  if call('HGET', names, name) == entry then
    call('HDEL', names, name)
    if call('EXISTS', names) == 0 then call('ZREM', base .. 'unborn', id) end
  end
end
return 0
`;
