import { createRunRequest, type NewRun } from "../interpreter/new-run.ts";
import type { JoinedRun, PlainStart } from "../world/index.ts";
import { startRequest } from "./start-request.ts";

/**
 * Makes the request of a start that was written without the core, such as by SQL: as `start` would, of the same values.
 *
 * @throws what `start` throws for what cannot be meant
 */
export async function plainStart(start: PlainStart): Promise<JoinedRun> {
  const { runId, workflow, args, key, ttl, attributes, startAt, at } = start;
  const {
    keyAt,
    terms: _,
    ...asked
  } = startRequest({ workflowId: workflow }, args, {
    ...(key !== null && { idempotencyKey: key }),
    ...(key !== null && ttl !== null && { ttl }),
    ...(attributes !== null && { attributes }),
  });
  const run: NewRun = { ...asked, runId, key: keyAt(at) };
  const { lease: __, ...request } = createRunRequest(run, { at, lease: null, headers: {}, mail: [] });
  return { ...request, dueAt: startAt ?? at };
}
