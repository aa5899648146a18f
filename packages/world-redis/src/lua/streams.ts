import { PRELUDE } from "./prelude.ts";

/**
 * Streams, in their run's partition. A stream is a hash: `length`, `closed`, `writers` how many writers it has, `w<writer>` a
 * writer's number and how many of its chunks are in, `n<number>` the writer's name; and a list of its chunks, each behind its
 * writer's number. The run's own key holds the names of its streams. That a run has ended is read from its row.
 */
const STREAM = `${PRELUDE}
local function namesKey(id) return base .. 'x:' .. id end
-- The length keeps run 'a' with stream 'bc' and run 'ab' with stream 'c' apart.
local function streamKey(id, name) return base .. 'y:' .. #id .. ':' .. id .. name end
local function chunksKey(id, name) return base .. 'z:' .. #id .. ':' .. id .. name end
local function hasEnded(id, stream)
  return TERMINAL[call('HGET', base .. 'r:' .. id, 's')] or call('HEXISTS', stream, 'closed') == 1
end
local function isStored(id) return call('EXISTS', base .. 'r:' .. id) == 1 end
`;

/**
 * Per append: run id, stream, writer, n, number of chunks, chunks. Answers per append 'A' appended, 'C' closed, 'N' no such run,
 * or how many of the writer's chunks are in, where it left a gap.
 */
export const APPEND: string = `${STREAM}
local function append(id, name, writer, n, chunks)
  if not isStored(id) then return 'N' end
  local stream = streamKey(id, name)
  local known = call('HGET', stream, 'w' .. writer)
  local number, before = 0, 0
  if known then number, before = struct.unpack('>I4I4', known) end
  if n + #chunks <= before then return 'A' end
  if hasEnded(id, stream) then return 'C' end
  if n > before then return before end

  if not known then
    number = call('HINCRBY', stream, 'writers', 1)
    call('HSET', stream, 'n' .. number, writer)
    call('ZADD', namesKey(id), 0, name)
  end
  local added, prefix = {}, struct.pack('>I4', number)
  for index = before - n + 1, #chunks do added[#added + 1] = prefix .. chunks[index] end
  push(chunksKey(id, name), added)
  call('HINCRBY', stream, 'length', #added)
  call('HSET', stream, 'w' .. writer, struct.pack('>I4I4', number, n + #chunks))
  return 'A'
end

local results = {}
while more() do
  local id, name, writer, n, chunks = take(), take(), take(), tonumber(take()), {}
  for index = 1, tonumber(take()) do chunks[index] = take() end
  results[#results + 1] = append(id, name, writer, n, chunks)
end
return results
`;

/**
 * Run id, stream, from, limit, byteLimit. Answers false where the run is not stored, else the length, 1 where nothing more comes,
 * then the writer's name and the entry of each chunk.
 */
export const READ: string = `${STREAM}
local id, name, from, limit, byteLimit = take(), take(), tonumber(take()), tonumber(take()), tonumber(take())
if not isStored(id) then return false end
local stream, list = streamKey(id, name), chunksKey(id, name)
local length = tonumber(call('HGET', stream, 'length') or 0)
local results = {length, hasEnded(id, stream) and 1 or 0}
local writers, bytes = {}, 0
local to = math.min(from + limit, length)
while from < to do
  -- A few at a time: how large they are is known only then.
  local entries = call('LRANGE', list, from, math.min(from + 16, to) - 1)
  if #entries == 0 then return redis.error_reply('DAMAGED stream of a run: ' .. list) end
  for _, entry in ipairs(entries) do
    if bytes > 0 and bytes >= byteLimit then return results end
    local number = struct.unpack('>I4', entry)
    writers[number] = writers[number] or call('HGET', stream, 'n' .. number)
    results[#results + 1] = writers[number]
    results[#results + 1] = entry
    bytes = bytes + #entry - 4
  end
  from = from + #entries
end
return results
`;

/** Run id, stream. Answers 0 where the run is not stored. */
export const CLOSE: string = `${STREAM}
local id, name = take(), take()
if not isStored(id) then return 0 end
local stream = streamKey(id, name)
if not hasEnded(id, stream) then
  call('HSET', stream, 'closed', 1)
  call('ZADD', namesKey(id), 0, name)
end
return 1
`;

/** Run id, where to begin as ZRANGEBYLEX takes it, how many. Answers names. */
export const LIST: string = `${STREAM}
local id, from, limit = take(), take(), take()
return call('ZRANGEBYLEX', namesKey(id), from, '+', 'LIMIT', 0, limit)
`;

/** Defines `deleteStreams(id)`; a part of the script that deletes runs. */
export const DELETE_STREAMS: string = `
local function deleteStreams(id)
  local names = base .. 'x:' .. id
  for _, name in ipairs(call('ZRANGE', names, 0, -1)) do
    local rest = #id .. ':' .. id .. name
    call('UNLINK', base .. 'y:' .. rest, base .. 'z:' .. rest)
  end
  call('UNLINK', names)
end
`;
