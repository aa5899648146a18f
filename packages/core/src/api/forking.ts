import type { Clock } from "../clock.ts";
import type { IdSource } from "../ids.ts";
import { intercepted } from "../interceptors/index.ts";
import type { ForkOptions, ForkRequest, ForkTerms } from "../interpreter/fork.ts";
import type { Logger } from "../logger.ts";
import { checkOptionNames } from "../option-names.ts";
import { encode } from "../serialization/index.ts";
import type { RunRecord } from "../world/index.ts";

/** Runs that a program makes from others: retries and forks. */

/** Reads the options of `fork`. Throws for what cannot be meant. */
export function forkRequest(options: ForkOptions): ForkRequest {
  checkOptionNames<ForkOptions>("fork()", options, { fromStep: true, args: true });
  const { fromStep, args } = options;
  return { fromStep, args: args === undefined ? null : { value: encode(args, "args") } };
}

/** What they are made with. */
export interface ForkingMeans extends Pick<ForkTerms, "create" | "world"> {
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly logger: Logger;
}

/** Makes a run that goes on for another one, as `make` says; its id. */
export async function forkFromProgram(
  { workflow: workflowName }: RunRecord,
  make: (terms: ForkTerms) => Promise<string>,
  { world, create, clock, ids, logger }: ForkingMeans,
): Promise<string> {
  const now = clock.now();
  const runId = ids.runId(now);
  return await intercepted(
    { runId, workflowName, callerRunId: null, logger },
    (headers) => make({ world, create, runId, now, headers }),
    (made) => ({ type: made === runId ? "created" : "found", runId: made }),
  );
}
