import { CLOCK, PRELUDE } from "./prelude.ts";

/**
 * Creates runs. Per run: id, workflow, createdAt, event, lease length or '', owner, dueAt, then the name of its start
 * key or ''; with a name: mark, key, the name's entry once it is live.
 *
 * Answers per run: 'L' created and the lease is the caller's, 'C' created, 'R' the mark is void: announce it again.
 */
export const CREATE: string = `${PRELUDE}${CLOCK}
local function create()
  local id, workflow, createdAt, event = take(), take(), take(), take()
  local ttl, owner, dueAt, name = take(), take(), take(), take()
  local mark, key, entry
  if name ~= '' then mark, key, entry = take(), take(), take() end

  local row = base .. 'r:' .. id
  local known = call('HMGET', row, 'e', 'o')
  if known[1] then
    return ttl ~= '' and known[1] == '1' and known[2] == owner and 'L' or 'C'
  end
  if name ~= '' then
    local names = base .. 'n:' .. id
    if call('HGET', names, name) ~= 'P' .. mark then return 'R' end
    call('HSET', names, name, entry)
    call('ZREM', base .. 'unborn', id)
    call('HSET', row, 'k', key)
  end
  local due
  if ttl == '' then
    call('HSET', row, 'w', workflow, 's', 'p', 'e', 0, 'q', 1, 'c', createdAt)
    due = dueTime(dueAt)
  else
    call('HSET', row, 'w', workflow, 's', 'p', 'e', 1, 'q', 1, 'c', createdAt, 'o', owner)
    due = now + tonumber(ttl)
  end
  call('RPUSH', base .. 'j:' .. id, event)
  call('ZADD', base .. 'd:' .. workflow, due, id)
  call('ZADD', base .. 's:p', 0, id)
  return ttl == '' and 'C' or 'L'
end

local results = {}
while more() do results[#results + 1] = create() end
return results
`;
