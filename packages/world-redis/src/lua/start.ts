import { PUT } from "./mailbox.ts";
import { CLOCK, PRELUDE, VALUES } from "./prelude.ts";

/**
 * Creates runs. Per run: id, workflow, queue, '' or '+' and attributes, '' or '+' and state, '' or '+' and the key given to
 * `start`, createdAt, bytes of the events' data, lease length or '', owner, claim id, dueAt, number of events, events, number of
 * names, per name: name, mark, id, when it is free or '0', the rest of its entry; number of messages, per message: message id,
 * id, name, packed message.
 *
 * Answers per run: 'L' created and the lease is the caller's, 'C' created, 'R' a mark is void: announce it again.
 */
export const CREATE: string = `${PRELUDE}${CLOCK}${VALUES}${PUT}
local function takeStart()
  local r = {id = take(), workflow = take(), queue = take()}
  r.attributes = take() == '+' and takeAttributes()
  r.state = take() == '+' and take()
  r.key = take() == '+' and take()
  r.createdAt, r.bytes, r.ttl, r.owner, r.claimId, r.dueAt = take(), take(), take(), take(), take(), take()
  r.events, r.names, r.mail = {}, {}, {}
  for index = 1, tonumber(take()) do r.events[index] = take() end
  for index = 1, tonumber(take()) do
    r.names[index] = {name = take(), mark = take(), id = take(), freeAt = take(), details = take()}
  end
  for index = 1, tonumber(take()) do
    r.mail[index] = {messageId = take(), target = take(), name = take(), message = take()}
  end
  return r
end

local function create(r)
  local row, names = base .. 'r:' .. r.id, base .. 'n:' .. r.id
  local known = call('HMGET', row, 'e', 'o', 'i')
  if known[1] then
    return r.ttl ~= '' and known[1] == '1' and known[2] and known[3] == r.claimId and 'L' or 'C'
  end
  for _, claim in ipairs(r.names) do
    if call('HGET', names, '=' .. claim.name) ~= 'P' .. claim.mark then return 'R' end
  end

  for _, claim in ipairs(r.names) do
    local freeAt = claim.freeAt == '0' and 0 or tonumber(dueTime(claim.freeAt))
    local entry = 'L' .. claim.mark .. struct.pack('>d', freeAt) .. claim.details
    call('HSET', names, '=' .. claim.name, entry, '#' .. claim.id, claim.name)
  end
  if #r.names > 0 then call('ZREM', base .. 'unborn', r.id) end
  local fields = {'w', r.workflow, 'u', r.queue, 's', 'p', 'e', 0, 'q', #r.events, 'y', r.bytes, 'c', r.createdAt}
  local due
  if r.ttl == '' then
    due = dueTime(r.dueAt)
    if #r.mail > 0 then due = math.min(tonumber(due), now) end
    call('HSET', row, unpack(fields))
  else
    fields[8] = 1
    due = now + tonumber(r.ttl)
    call('HSET', row, 'o', r.owner, 'i', r.claimId, unpack(fields))
  end
  if r.key then call('HSET', row, 'k', r.key) end
  push(base .. 'j:' .. r.id, r.events)
  for _, one in ipairs(r.mail) do put(r.id, one.messageId, one.message, one.target, one.name) end
  if #r.mail > 0 then call('HSET', row, 'm', #r.mail) end
  call('ZADD', base .. 'd:' .. r.queue, due, r.id)
  local place = member(r.createdAt, r.id)
  for _, set in ipairs({'s:p', 'w:' .. r.workflow, 'q:' .. r.queue}) do call('ZADD', base .. set, 0, place) end
  if r.attributes then setAttributes(r.id, place, r.attributes) end
  if r.state then setValue(r.id, 'state', r.state) end
  return r.ttl == '' and 'C' or 'L'
end

local results = {}
while more() do results[#results + 1] = create(takeStart()) end
return results
`;
