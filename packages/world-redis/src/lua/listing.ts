import { PRELUDE } from "./prelude.ts";

/** Scripts that find runs for a listing. They write nothing. */

/** Fields of a filter, each as the sorted sets of which a run is in one: how many fields, per field how many sets, the sets. */
const FIELDS = `
local fields = {}
for index = 1, tonumber(take()) do
  fields[index] = {}
  for place = 1, tonumber(take()) do fields[index][place] = base .. take() end
end
`;

/** Fields. Answers which of them the fewest runs fit, counted from 1. */
export const NARROWEST: string = `${PRELUDE}${FIELDS}
local best, fewest = 1, nil
for index, sets in ipairs(fields) do
  local runs = 0
  for _, set in ipairs(sets) do runs = runs + call('ZCARD', set) end
  if not fewest or runs < fewest then best, fewest = index, runs end
end
return best
`;

/**
 * Walks along sorted sets: 'list' or 'count', 'asc' or 'desc', how many runs to find in each, how many to look at in each;
 * the fields that a run must fit as well; where the walk is by `completedAt`, '+' and the first and last creation time or '',
 * else ''; then per set: its name and the bounds of its walk, as ZRANGEBYLEX takes them.
 *
 * Answers per set: the member at which the walk stopped or false at the end, how many runs fit, then, to list, their members.
 */
export const WALK: string = `${PRELUDE}
local CHUNK = 100
local listing, ascending = take() == 'list', take() == 'asc'
local wanted, most = tonumber(take()), tonumber(take())
${FIELDS}
local byEnd, from, before = take() == '+', nil, nil
if byEnd then from, before = tonumber(take()), tonumber(take()) end

local function isIn(sets, place)
  for _, set in ipairs(sets) do
    if call('ZSCORE', set, place) then return true end
  end
  return false
end
local function fits(place)
  if byEnd then
    local id = string.sub(place, 9)
    local createdAt = tonumber(call('HGET', base .. 'r:' .. id, 'c') or nil)
    if not createdAt or (from and createdAt < from) or (before and createdAt >= before) then return false end
    place = member(createdAt, id)
  end
  for _, sets in ipairs(fields) do
    if not isIn(sets, place) then return false end
  end
  return true
end

local function walk(set, low, high)
  if not listing and #fields == 0 and not byEnd then return {false, call('ZLEXCOUNT', set, low, high)} end
  local result, looked = {false, 0}, 0
  while true do
    local places
    if ascending then
      places = call('ZRANGEBYLEX', set, low, high, 'LIMIT', 0, CHUNK)
    else
      places = call('ZREVRANGEBYLEX', set, high, low, 'LIMIT', 0, CHUNK)
    end
    for _, place in ipairs(places) do
      looked = looked + 1
      if fits(place) then
        result[2] = result[2] + 1
        if listing then result[#result + 1] = place end
      end
      if result[2] == wanted or looked == most then
        result[1] = place
        return result
      end
    end
    if #places < CHUNK then return result end
    if ascending then low = '(' .. places[#places] else high = '(' .. places[#places] end
  end
end

local results = {}
while more() do results[#results + 1] = walk(base .. take(), take(), take()) end
return results
`;
