import { CLOCK, PRELUDE } from "./prelude.ts";

/** The scripts of the protocol in `names.ts`. How entries, claims and leftovers are packed is told in `name-entry.ts`. */

/** For scripts that read the entries of names. */
const ENTRY = `
-- The id under which the run has a name.
local function idIn(entry) return string.sub(entry, 44, 43 + struct.unpack('>I2', entry, 42)) end
`;

/** For scripts in a run's partition that say what the run has of a name. They know the time. */
export const HELD: string = `${ENTRY}
-- Whether a name stays with a run that has ended: by the times in its entry, and when the run ended.
local function isOver(entry, completedAt)
  local freeAt, keepFor = struct.unpack('>dd', entry, 18)
  return keepFor >= 0 and (keepFor == 0 or tonumber(completedAt or 0) + keepFor <= now) and freeAt <= now
end

-- What a run has of a name under a mark: 'L' it has it; 'P' undecided; 'O' its time is over; 'H' it has had it and given it
-- up; 'D' it has never had it, or all of that is forgotten. With its entry.
local function look(id, name, mark)
  local entry = call('HGET', base .. 'n:' .. id, '=' .. name)
  if not entry or string.sub(entry, 2, 17) ~= mark then
    return call('SISMEMBER', base .. 'g:' .. id, 'h' .. mark .. name) == 1 and 'H' or 'D'
  end
  if string.sub(entry, 1, 1) == 'P' then return 'P', entry end
  local row = call('HMGET', base .. 'r:' .. id, 's', 'f')
  if TERMINAL[row[1]] and isOver(entry, row[2]) then return 'O', entry end
  return 'L', entry
end
`;

/** For scripts in a run's partition after which something in other partitions has to be removed: they write it down. */
export const GIVE_UP: string = `${ENTRY}
local function giveUp(id, name, entry)
  local kind = string.sub(entry, 1, 1) == 'L' and 'h' or 'c'
  call('HDEL', base .. 'n:' .. id, '=' .. name)
  if kind == 'h' then call('HDEL', base .. 'n:' .. id, '#' .. idIn(entry)) end
  call('SADD', base .. 'g:' .. id, kind .. string.sub(entry, 2, 17) .. name)
end
-- The address of a message that the run forgets.
local function leaveAddress(id, messageId, place)
  if string.sub(place, 9, 9) ~= '=' then return end
  local name = string.sub(place, 12 + struct.unpack('>I2', place, 10))
  call('SADD', base .. 'g:' .. id, 'a' .. struct.pack('>I2', #messageId) .. messageId .. name)
end
`;

/** For scripts in a run's partition after which a run that does not exist may have no names any more. */
const BEAR = `
local function forgetUnborn(id)
  if call('EXISTS', base .. 'n:' .. id, base .. 'g:' .. id) == 0 then call('ZREM', base .. 'unborn', id) end
end
`;

/** For scripts in a name's partition. */
export const CHAIN = `
-- The first claim on a name, and those that it takes over.
local function headOf(chain)
  local last = 18 + struct.unpack('>I2', chain, 17)
  return string.sub(chain, 1, last), string.sub(chain, last + 1)
end
`;

/**
 * In a run's partition, before a commit or a start that asks for names. Per run: id, number of names, names with a new mark
 * each, then 'new', or 'commit' with epoch, claim id and seq.
 *
 * Answers per run false where it cannot be written or is written already, else an entry per name: the mark to use,
 * 16 characters, after 'P' where the name has to be reserved under it, 'L' where the run has the name.
 */
export const ANNOUNCE: string = `${PRELUDE}
local function isWritable(id)
  local kind = take()
  if kind == 'new' then
    if call('EXISTS', base .. 'r:' .. id) == 1 then return false end
    call('ZADD', base .. 'unborn', call('TIME')[1] * 1000, id)
    return true
  end
  local epoch, claimId, seq = take(), take(), take()
  local row = call('HMGET', base .. 'r:' .. id, 's', 'e', 'o', 'q', 'i')
  if not row[1] or TERMINAL[row[1]] or not row[3] or row[4] ~= seq then return false end
  return row[2] == epoch and row[5] == claimId
end
local function announce()
  local id, asked = take(), {}
  for index = 1, tonumber(take()) do asked[index] = {take(), take()} end
  if not isWritable(id) then return false end
  local names, entries = base .. 'n:' .. id, {}
  for index, pair in ipairs(asked) do
    local entry = call('HGET', names, '=' .. pair[1])
    if not entry then
      entry = 'P' .. pair[2]
      call('HSET', names, '=' .. pair[1], entry)
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
 * In a name's partition. Per name: name, the caller's claim, then '', or the claims that the caller has found and what is to
 * stand in their place. Answers per name false where the caller's claim is the first, else the claims that stand there.
 */
export const RESERVE: string = `${PRELUDE}${CHAIN}
local results = {}
while more() do
  local name, claim, found = take(), take(), take()
  local place = found ~= '' and take()
  local chain = call('HGET', base .. 'names', name)
  if not chain then
    chain = claim
    call('HSET', base .. 'names', name, chain)
    call('ZADD', base .. 'listed', 0, name)
  elseif chain == found then
    chain = place
    call('HSET', base .. 'names', name, chain)
  end
  results[#results + 1] = headOf(chain) ~= claim and chain
end
return results
`;

/**
 * In the partition of the run that a claim names: 'rows' or '', then per claim: id, name, mark, 'force' or '', 'from' where the
 * caller may take the name over, or ''.
 *
 * Answers per claim what is to become of it: 'D' it is void, 'H' it is void and so is what it took over, 'P' it is not decided
 * yet, 'T' the name may be taken over; or the run has the name: 'L', with 'rows' its entry and row. 'force' makes void what is
 * not decided. A name whose time is over is given up.
 */
export const INSPECT: string = `${PRELUDE}${CLOCK}${HELD}${GIVE_UP}
local withRows = take() == 'rows'
local function inspect(id, name, mark, force, from)
  local state, entry = look(id, name, mark)
  if state == 'P' and force == 'force' then
    giveUp(id, name, entry)
    return 'D'
  end
  if state == 'O' then
    giveUp(id, name, entry)
    return 'H'
  end
  if state ~= 'L' then return state end
  if from == 'from' and TERMINAL[call('HGET', base .. 'r:' .. id, 's')] then return 'T' end
  return withRows and {entry, rowOf(id)} or 'L'
end

local results = {}
while more() do results[#results + 1] = inspect(take(), take(), take(), take(), take()) end
return results
`;

/**
 * In a run's partition: takes announcements back. Per run: id, number of names, per name: name, mark, 'reserved' where the
 * name's partition may have the claim, or ''. Answers per run: 1 if it exists, else 0; then what it has left in other
 * partitions.
 */
export const WITHDRAW: string = `${PRELUDE}${BEAR}
local function withdraw(id)
  for index = 1, tonumber(take()) do
    local name, mark, reserved = take(), take(), take()
    if call('HGET', base .. 'n:' .. id, '=' .. name) == 'P' .. mark then
      call('HDEL', base .. 'n:' .. id, '=' .. name)
      if reserved == 'reserved' then call('SADD', base .. 'g:' .. id, 'c' .. mark .. name) end
    end
  end
  forgetUnborn(id)
  local result = call('SMEMBERS', base .. 'g:' .. id)
  table.insert(result, 1, call('EXISTS', base .. 'r:' .. id))
  return result
end
local results = {}
while more() do results[#results + 1] = withdraw(take()) end
return results
`;

/** In a run's partition. Answers per run id what it has left in other partitions. */
export const LEFT: string = `${PRELUDE}
local results = {}
while more() do results[#results + 1] = call('SMEMBERS', base .. 'g:' .. take()) end
return results
`;

/** In the partition of runs whose names another run has taken over: gives them up. Per claim: id, name, mark. */
export const SUPERSEDE: string = `${PRELUDE}${GIVE_UP}
while more() do
  local id, name, mark = take(), take(), take()
  local entry = call('HGET', base .. 'n:' .. id, '=' .. name)
  if entry and string.sub(entry, 2, 17) == mark then giveUp(id, name, entry) end
end
return 0
`;

/**
 * In a name's partition: removes what a run has left there. Per leftover: 'c' or 'h', name and claim: the claim, but with 'h' not
 * as long as there is one that it took over; 'H' and the same: both; or 'a', message id and run id: the message's address. Those
 * of others stay. Answers per leftover the claim that has to be given up first, or false.
 */
export const RELEASE: string = `${PRELUDE}${CHAIN}
-- Without the claim; false where it is not there. And what it took over, if that keeps it.
local function without(chain, claim, kind)
  if chain == '' then return false end
  local head, rest = headOf(chain)
  if head == claim then
    if kind == 'h' and rest ~= '' then return false, rest end
    return kind == 'c' and rest or ''
  end
  local left, under = without(rest, claim, kind)
  return left and head .. left, under
end
local function release(kind, key, whose)
  if kind == 'a' then
    local claim = call('GET', base .. 'sent:' .. key)
    if claim and string.sub(claim, 19) == whose then call('DEL', base .. 'sent:' .. key) end
    return false
  end
  local left, under = without(call('HGET', base .. 'names', key) or '', whose, kind)
  if left == '' then
    call('HDEL', base .. 'names', key)
    call('ZREM', base .. 'listed', key)
  elseif left then
    freeing()
    call('HSET', base .. 'names', key, left)
  end
  return under or false
end
local results = {}
while more() do results[#results + 1] = release(take(), take(), take()) end
return results
`;

/** In a run's partition: forgets what is released. Per leftover: id, leftover. */
export const FORGET: string = `${PRELUDE}${BEAR}
while more() do
  local id, leftover = take(), take()
  call('SREM', base .. 'g:' .. id, leftover)
  forgetUnborn(id)
end
return 0
`;
