import { type ExecutionOutcome, hooks, told } from "../../interceptors/index.ts";
import { headersOf } from "../../interpreter/kinds/headers.ts";
import type { Logger } from "../../logger.ts";
import { outside } from "../../outside.ts";
import { isTerminal, type RunStatus } from "../../world/index.ts";
import type { LiveRun } from "./live-run.ts";

/** Tells the interceptors when a worker takes up a run, and when it leaves it. */

type After = ((outcome: ExecutionOutcome) => void) | undefined;

export class RunExecutions {
  readonly #logger: Logger;
  readonly #underWay: Map<LiveRun, readonly After[]> = new Map();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** The run is executed here from now on. */
  begin(run: LiveRun): void {
    if (hooks.onExecute.length === 0) return;
    const { runId, workflow: workflowName, execution } = run;
    const executed = { runId, workflowName, headers: headersOf(execution) };
    const after = hooks.onExecute.map((hook): After => {
      const answer = told("onExecute", this.#logger, () => outside(() => hook(executed)));
      return typeof answer === "function" ? answer : undefined;
    });
    this.#underWay.set(run, after);
  }

  /** The run has ended. */
  ended(run: LiveRun, status: RunStatus): void {
    if (this.#underWay.size > 0 && isTerminal(status)) this.#end(run, status);
  }

  /** The run is not held any more; if it did not end, it was given back, or lost. */
  left(run: LiveRun): void {
    if (this.#underWay.size === 0) return;
    if (run.lease.state !== "parked") this.#end(run, "lost");
    else this.#end(run, run.turn.diverged ? "diverged" : "parked");
  }

  #end(run: LiveRun, outcome: ExecutionOutcome): void {
    const after = this.#underWay.get(run) ?? [];
    this.#underWay.delete(run);
    for (const hook of after.toReversed()) {
      if (hook !== undefined) told("onExecute", this.#logger, () => outside(() => hook(outcome)));
    }
  }
}
