import { WorkflowRuntimeError } from "../errors/index.ts";
import { isTerminal, type RunStatus } from "../world/index.ts";
import type { Run } from "./run.ts";

/** What is done to runs one by one or by the hundred: by the command line and by the dashboard. */

/** What is done to each run. */
export interface RunAct {
  /** `cancel`, as in `cancel 3 runs?` */
  readonly verb: string;
  /** `asked to end`, as in `3 runs asked to end` */
  readonly done: string;
  /** Which runs a filter without a status means: those that it fits. */
  readonly statuses: readonly RunStatus[];
  /** @returns what is to be said of it beside its id; "" for no more than {@link done} */
  readonly one: (run: Run) => Promise<string>;
}

/** Asks runs to end, or ends them without their code. One that has ended is refused: whoever reads "asked to end" waits for it. */
export function cancelling(options: { readonly reason?: string; readonly terminate?: boolean } = {}): RunAct {
  const { reason, terminate = false } = options;
  const mode = terminate ? "terminate" : "graceful";
  return {
    verb: "cancel",
    done: terminate ? "terminated" : "asked to end",
    statuses: ["pending", "running", "diverged"],
    async one(run) {
      const status = await run.status;
      if (isTerminal(status)) {
        throw new WorkflowRuntimeError(
          `Workflow run "${run.runId}" has ended (${status}): it stays as it is.`,
        );
      }
      await run.cancel({ ...(reason !== undefined && { reason }), mode });
      return "";
    },
  };
}

/** Goes on with runs that failed or diverged. */
export function retrying({ keys = "keep" }: { readonly keys?: "keep" | "new" } = {}): RunAct {
  return {
    verb: "retry",
    done: "retried",
    statuses: ["failed", "diverged"],
    async one(run) {
      const next = await run.retry({ keys });
      return next.runId === run.runId ? "is tried again" : `goes on as ${next.runId}`;
    },
  };
}

/** Ends the sleeps of runs. */
export const waking: RunAct = {
  verb: "wake",
  done: "woken",
  statuses: ["running"],
  async one(run) {
    const { stoppedCount } = await run.wakeUp();
    return stoppedCount === 1 ? "1 sleep ended" : `${stoppedCount} sleeps ended`;
  },
};

/** Deletes runs that have ended. */
export const deleting: RunAct = {
  verb: "delete",
  done: "deleted",
  statuses: ["completed", "failed", "cancelled"],
  async one(run) {
    await run.delete();
    return "";
  },
};

/** What became of one run. */
export interface ActedRun {
  readonly runId: string;
  /** What is to be said of it; `null` if it failed. */
  readonly said: string | null;
  /** Why it failed; `null` if it did not. */
  readonly error: unknown;
}

/** So many runs are acted on at once. */
const AT_ONCE = 8;

/** Does it to each run; one that fails does not hold up the others. `onEach` hears what became of each, as it is known. */
export async function actOnRuns(
  runs: readonly Run[],
  { one, done }: RunAct,
  onEach: (result: ActedRun, count: number) => void = () => {},
): Promise<readonly ActedRun[]> {
  const results: ActedRun[] = [];
  const waiting = [...runs];
  const work = async (): Promise<void> => {
    for (let run = waiting.shift(); run !== undefined; run = waiting.shift()) {
      const { runId } = run;
      try {
        results.push({ runId, said: (await one(run)) || done, error: null });
      } catch (error) {
        results.push({ runId, said: null, error });
      }
      onEach(results.at(-1) as ActedRun, results.length);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return results;
}
