import { CLOCK, PRELUDE, VALUES } from "./prelude.ts";

/**
 * Creates runs. Per run: id, workflow, queue, '' or '+' and attributes, '' or '+' and state, createdAt, event, bytes of its data, lease length or '', owner, claim id, dueAt,
 * then the name of its start key or ''; with a name: mark, key, when the key is free or '', fingerprint.
 *
 * Answers per run: 'L' created and the lease is the caller's, 'C' created, 'R' the mark is void: announce it again.
 */
export const CREATE: string = `${PRELUDE}${CLOCK}${VALUES}
local function create()
  local id, workflow, queue = take(), take(), take()
  local attributes = take() == '+' and takeAttributes()
  local state = take() == '+' and take()
  local createdAt, event = take(), take()
  local bytes, ttl, owner, claimId, dueAt, name = take(), take(), take(), take(), take(), take()
  local mark, key, expiresAt, fingerprint
  if name ~= '' then mark, key, expiresAt, fingerprint = take(), take(), take(), take() end

  local row = base .. 'r:' .. id
  local known = call('HMGET', row, 'e', 'o', 'i')
  if known[1] then
    return ttl ~= '' and known[1] == '1' and known[2] and known[3] == claimId and 'L' or 'C'
  end
  if name ~= '' then
    local names = base .. 'n:' .. id
    if call('HGET', names, name) ~= 'P' .. mark then return 'R' end
    if expiresAt ~= '' then expiresAt = dueTime(expiresAt) end
    call('HSET', names, name, 'L' .. mark .. expiresAt .. ':' .. fingerprint)
    call('ZREM', base .. 'unborn', id)
    call('HSET', row, 'k', key)
  end
  local due
  if ttl == '' then
    call('HSET', row, 'w', workflow, 'u', queue, 's', 'p', 'e', 0, 'q', 1, 'y', bytes, 'c', createdAt)
    due = dueTime(dueAt)
  else
    call('HSET', row, 'w', workflow, 'u', queue, 's', 'p', 'e', 1, 'q', 1, 'y', bytes, 'c', createdAt, 'o', owner, 'i', claimId)
    due = now + tonumber(ttl)
  end
  call('RPUSH', base .. 'j:' .. id, event)
  call('ZADD', base .. 'd:' .. queue, due, id)
  local place = member(createdAt, id)
  for _, set in ipairs({'s:p', 'w:' .. workflow, 'q:' .. queue}) do call('ZADD', base .. set, 0, place) end
  if attributes then setAttributes(id, place, attributes) end
  if state then setValue(id, 'state', state) end
  return ttl == '' and 'C' or 'L'
end

local results = {}
while more() do results[#results + 1] = create() end
return results
`;
