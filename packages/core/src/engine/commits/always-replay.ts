import type { Clock } from "../../clock.ts";
import { ReplayDivergenceError } from "../../errors/index.ts";
import { wholeJournal } from "../../journal-pages.ts";
import type { Logger } from "../../logger.ts";
import type { JournalEvent, World } from "../../world/index.ts";
import type { Residents } from "../claims/residents.ts";
import { coldReplay } from "../cold-replay.ts";
import type { LiveRun, OutgoingCommit } from "../run/live-run.ts";

/**
 * For tests: each time that the journal of a run has grown, it is replayed cold, as a worker does after a crash. Code that does something
 * else the second time is found when it does it first, and not when a process has ended.
 */

export interface AlwaysReplayOptions {
  readonly world: World;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly residents: Residents;
  /** The run cannot go on with this code. */
  readonly onDiverged: (run: LiveRun, error: unknown) => void;
}

export class AlwaysReplay {
  readonly #options: AlwaysReplayOptions;
  /** Runs whose journals are being replayed; true: they have grown since. */
  readonly #replaying: Map<LiveRun, boolean> = new Map();
  /** What was found while a commit of the run was under way. */
  readonly #found: Map<LiveRun, unknown> = new Map();

  constructor(options: AlwaysReplayOptions) {
    this.#options = options;
  }

  /** A commit of the run is durable. */
  look({ run, request }: OutgoingCommit): void {
    if (this.#found.has(run)) this.#diverge(run, this.#found.get(run));
    // A journal that began anew belongs to an execution that is not here yet.
    else if (request.events.length === 0 || request.restart === true || run.turn.diverged) return;
    else if (this.#replaying.has(run)) this.#replaying.set(run, true);
    else void this.#replay(run);
  }

  async #replay(run: LiveRun): Promise<void> {
    const { runId, workflow, execution } = run;
    const of = { runId, workflow, generation: execution.generation };
    try {
      do {
        this.#replaying.set(run, false);
        const { world, clock } = this.#options;
        const { firstSeq, seq } = run.lease;
        const journal = await wholeJournal((...page) => world.listEvents(...page), { runId, firstSeq, seq });
        const { output } = await coldReplay(of, journal, clock);
        checkEnd(of, journal, output);
      } while (this.#replaying.get(run) === true);
    } catch (error) {
      if (run.lease.committing) this.#found.set(run, error);
      else this.#diverge(run, error);
    } finally {
      this.#replaying.delete(run);
    }
  }

  #diverge(run: LiveRun, error: unknown): void {
    const { logger, residents, onDiverged } = this.#options;
    this.#found.delete(run);
    if (run.lease.held && !run.turn.diverged) {
      onDiverged(run, error);
      return;
    }
    const { runId, workflow } = run;
    const facts = { runId, workflow, error };
    logger.error(
      "a run does not follow its own journal: its workflow did something else when it was replayed",
      facts,
    );
    // One that waits is replayed, and parked as diverged, when it goes on.
    if (run.lease.state === "parked") residents.unpark(runId)?.end();
  }
}

/** A run that has completed returns the same when it is replayed. */
function checkEnd(
  { runId, workflow }: { readonly runId: string; readonly workflow: string },
  journal: readonly JournalEvent[],
  output: Uint8Array | null,
): void {
  const end = journal.at(-1);
  if (end?.type !== "run_completed") return;
  if (end.data !== null && output !== null && Buffer.from(end.data).equals(output)) return;
  throw new ReplayDivergenceError({
    runId,
    workflowName: workflow,
    seq: end.seq,
    journal: "run_completed, with the value that the code returned first",
    requested: output === null ? "no end of the run" : "run_completed, with another value",
  });
}
