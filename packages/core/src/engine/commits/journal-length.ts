import { WorkflowRuntimeError } from "../../errors/index.ts";
import type { Logger } from "../../logger.ts";
import type { LiveRun } from "../run/live-run.ts";

/** Looks at how long journals get: every replay reads all of one. */

export interface JournalLengthOptions {
  readonly logger: Logger;
  readonly journalWarning: number;
  readonly journalLimit: number;
  /** The run cannot go on in this worker. */
  readonly onDiverged: (run: LiveRun, error: unknown) => void;
}

export class JournalLength {
  readonly #options: JournalLengthOptions;
  /** Runs that were warned of. */
  readonly #warned: WeakSet<LiveRun> = new WeakSet();

  constructor(options: JournalLengthOptions) {
    this.#options = options;
  }

  /** A commit of the run is durable, and the run goes on here. */
  look(run: LiveRun): void {
    const { logger, journalWarning, journalLimit, onDiverged } = this.#options;
    const { runId, workflow } = run;
    const events = run.lease.journalLength;
    if (events >= journalLimit && !run.turn.over && !run.turn.diverged) {
      onDiverged(
        run,
        new WorkflowRuntimeError(
          `The journal of workflow run "${runId}" has ${events} events, and this worker takes at most ${journalLimit}. Nothing is ` +
            "lost: the run goes on in a worker with a higher journalLimit. Let the workflow call continueAsNew() from time to " +
            "time, which begins its journal anew.",
        ),
      );
    } else if (events >= journalWarning && !this.#warned.has(run)) {
      this.#warned.add(run);
      logger.warn(
        "the journal of a run is long, and every replay reads all of it: let the workflow call continueAsNew() from time to time",
        { runId, workflow, events },
      );
    }
  }
}
