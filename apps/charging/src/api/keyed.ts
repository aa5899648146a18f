// Requests with an idempotency key, by `perdure/http`: a request that is sent again gets the first answer, whatever became of the
// process that gave it, and one that has to be handled again starts no second run.

import type { World } from "@perdure/core/world";
import { idempotent } from "perdure/http";
import type { Guard } from "./app.ts";

/** Keys and answers in the World; the key of a process that died is free after `lease` milliseconds. */
export function keyed(world: World, lease: number): Guard {
  return (handler, mode) =>
    idempotent((request, { idempotencyKeyFor }) => handler(request, idempotencyKeyFor("run")), {
      ...{ world, mode, lease },
    });
}
