import { type Clock, delay } from "../../clock.ts";
import { EncryptionError, WorldError } from "../../errors/index.ts";
import type { PendingSystemStep } from "../../interpreter/kinds/system-step.ts";
import type { Logger } from "../../logger.ts";
import { decode, encode, encodeError, storable } from "../../serialization/index.ts";
import type { UnreadableRuns } from "../claims/unreadable-runs.ts";
import type { LiveRun } from "../run/live-run.ts";
import { type Again, againIn } from "./go-on.ts";
import { systemStepOf } from "./index.ts";
import type { StoreCalls } from "./store-calls.ts";
import type { SystemStep } from "./system-step.ts";

/** Executes the system steps of held runs. They take no slot, and are repeated until the store answers or the run is gone. */

export interface SystemStepRunnerOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly store: StoreCalls;
  /** The run cannot go on in this worker. */
  readonly onDiverged: (run: LiveRun, error: unknown) => void;
  readonly unreadable: Pick<UnreadableRuns, "leaveHeld">;
  /** A step was executed: the run may have something to deliver. */
  readonly onEnded: (run: LiveRun) => void;
}

const PAUSE = 1_000;

export class SystemStepRunner {
  readonly #options: SystemStepRunnerOptions;

  constructor(options: SystemStepRunnerOptions) {
    this.#options = options;
  }

  /** Executes a step whose `system_step_created` is durable. */
  start(run: LiveRun, step: PendingSystemStep): void {
    void this.#execute(run, step).finally(() => run.steps.system.ended(step));
  }

  async #execute(run: LiveRun, step: PendingSystemStep): Promise<void> {
    const { clock, logger, store, onDiverged, onEnded } = this.#options;
    const { runId, workflow, execution } = run;
    let body: SystemStep;
    try {
      body = systemStepOf(step.name);
    } catch (error) {
      onDiverged(run, error);
      return;
    }
    const asked = (): boolean => run.lease.held && execution.pending.get(step.id) === step;
    const held = (): boolean => asked() && run.lease.until > clock.elapsed();
    while (asked()) {
      try {
        const again = (failed: string): Again | null => againIn(execution, failed);
        const call = { runId, id: step.id, input: decode(step.input), held, again };
        const result = await body.execute(call, store);
        if (result.type === "not held") {
          await delay(clock, PAUSE);
          continue;
        }
        if (result.type === "completed") {
          const data = storable(encode(result.value, "result"), "result", execution.largestValue);
          this.#end(run, step, data, false);
          return;
        }
        break;
      } catch (error) {
        if (EncryptionError.is(error)) {
          await delay(clock, PAUSE);
          if (asked()) this.#options.unreadable.leaveHeld(run, error);
          break;
        }
        if (!WorldError.is(error) || !error.retryable) {
          this.#end(run, step, encodeError(error), true);
          return;
        }
        logger.warn(
          "the store did not answer a system step: it is asked again. Check that it can be reached",
          {
            runId,
            workflow,
            step: step.name,
            error,
          },
        );
        await delay(clock, PAUSE);
      }
    }
    // It waits for a message, or nobody waits for it any more: the run may have been held for it alone.
    run.steps.system.ended(step);
    onEnded(run);
  }

  #end(run: LiveRun, step: PendingSystemStep, data: Uint8Array | null, failed: boolean): void {
    run.steps.system.ended(step);
    if (run.lease.ended) return;
    run.turn.receive({ type: "system_step_ended", step, data, failed });
    this.#options.onEnded(run);
  }
}
