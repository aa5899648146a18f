import { HELD } from "./names.ts";
import { CLOCK, PRELUDE } from "./prelude.ts";

/** Scripts that find names. They write nothing. */

/** In the names' partition. Answers per name its claims, or false. */
export const CLAIMS: string = `${PRELUDE}
local results = {}
while more() do results[#results + 1] = call('HGET', base .. 'names', take()) end
return results
`;

/** In the runs' partition. Per claim: id, name, mark. Answers the run's entry if it has the name, else as `look` does. */
export const LOOK: string = `${PRELUDE}${CLOCK}${HELD}
local results = {}
while more() do
  local state, entry = look(take(), take(), take())
  results[#results + 1] = state == 'L' and entry or state
end
return results
`;

/** Names of a partition in their order: where to begin and to end (as ZRANGEBYLEX takes them), how many. */
export const LISTED: string = `${PRELUDE}
return call('ZRANGEBYLEX', base .. 'listed', take(), take(), 'LIMIT', 0, take())
`;

/** The names that a run has. */
export const NAMES_OF_RUN: string = `${PRELUDE}
local flat, names = call('HGETALL', base .. 'n:' .. take()), {}
for index = 1, #flat, 2 do
  if string.sub(flat[index], 1, 1) == '=' and string.sub(flat[index + 1], 1, 1) == 'L' then
    names[#names + 1] = string.sub(flat[index], 2)
  end
end
return names
`;
