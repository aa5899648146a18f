import type { Clock } from "../../clock.ts";
import { LeaseLostError } from "../../errors/index.ts";
import { tellOfEnd } from "../../interceptors/index.ts";
import { headersOf } from "../../interpreter/kinds/headers.ts";
import type { PendingStep } from "../../interpreter/kinds/step.ts";
import type { PendingSystemStep } from "../../interpreter/kinds/system-step.ts";
import type { Logger } from "../../logger.ts";
import { type CommitResult, endsRun, type World } from "../../world/index.ts";
import type { Quarantine } from "../claims/quarantine.ts";
import type { Residents } from "../claims/residents.ts";
import { tellOfLostLease } from "../leases/lost-lease.ts";
import type { LiveRun, OutgoingCommit } from "../run/live-run.ts";
import { AlwaysReplay } from "./always-replay.ts";
import { completions, type RunEnding } from "./completions.ts";
import { JournalLength, type JournalLengthOptions } from "./journal-length.ts";

/** What follows when a commit is durable, or when another worker has the run. */

export interface CommitResultsOptions extends JournalLengthOptions {
  readonly world: World;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly residents: Residents;
  readonly quarantine: Quarantine;
  /** Whether every journal is replayed cold when it has grown. */
  readonly alwaysReplay: boolean;
  /** Whether this worker goes on with the run. */
  readonly keeps: (run: LiveRun) => boolean;
  /** A step of which the journal knows may start. */
  readonly onStep: (run: LiveRun, step: PendingStep) => void;
  readonly onSystemStep: (run: LiveRun, step: PendingSystemStep) => void;
  /** The store says that this is the run's last message. */
  readonly onMail: (run: LiveRun, mailSeq: number) => void;
  /** The run was given back, and is due at this time. */
  readonly onParked: (dueAt: number) => void;
  /** A run that is held has given up its place. */
  readonly onRoom: () => void;
  /** The run cannot go on with what it was told. */
  readonly onDiverged: (run: LiveRun, error: unknown) => void;
  readonly touch: (run: LiveRun) => void;
}

export class CommitResults {
  readonly #options: CommitResultsOptions;
  readonly #length: JournalLength;
  readonly #replays: AlwaysReplay | null;

  constructor(options: CommitResultsOptions) {
    this.#options = options;
    this.#length = new JournalLength(options);
    this.#replays = options.alwaysReplay ? new AlwaysReplay(options) : null;
  }

  take(commit: OutgoingCommit, result: CommitResult): void {
    const { run } = commit;
    const { world, logger, residents } = this.#options;
    const ending = result.outcome === "committed" ? endingOf(commit) : null;
    // The execution forgets them with its end.
    const headers = ending === null ? {} : headersOf(run.execution);
    if (run.lease.ended) {
      // It was given up here meanwhile; those who wait for its end hear of it all the same.
      if (ending !== null) {
        tellOfEnd(world, ending, headers, logger);
        completions(world).finished(ending);
      }
    } else if (result.outcome !== "committed") {
      this.#refused(run, result);
    } else {
      const told = this.#tell(commit, result);
      this.#durable(commit, result.mailSeq, told);
      if (ending !== null) {
        tellOfEnd(world, ending, headers, logger);
        residents.executions.ended(run, ending.status);
        residents.release(run);
        completions(world).finished(ending);
      }
      this.#replays?.look(commit);
    }
  }

  /** The store does not answer for this lease any more. */
  lose(run: LiveRun): void {
    tellOfLostLease(run, this.#options.logger);
    this.#drop(run);
  }

  #drop(run: LiveRun): void {
    this.#options.residents.drop(run, new LeaseLostError(run.runId, run.lease.epoch));
  }

  #refused(run: LiveRun, result: CommitResult): void {
    if (result.outcome === "out_of_step") {
      this.#options.logger.error(
        "the journal of a run is not as long as this worker has written it, so the run is given up here and read again: check " +
          "whether the store lost acknowledged writes, in a fail-over or a restore",
        { runId: run.runId, workflow: run.workflow, ...result },
      );
    }
    // Where it is not fenced, nobody else has the lease: the run has ended, or was deleted, or what was said above.
    if (result.outcome === "fenced") this.lose(run);
    else this.#drop(run);
  }

  /** True if the run's code was told something and has to drain. */
  #tell(commit: OutgoingCommit, result: CommitResult & { outcome: "committed" }): boolean {
    try {
      return commit.run.committed(commit, result);
    } catch (error) {
      this.#options.onDiverged(commit.run, error);
      return false;
    }
  }

  #durable({ run, request, steps, systemSteps }: OutgoingCommit, mailSeq: number, told: boolean): void {
    const { clock, quarantine, keeps, onStep, onSystemStep, onMail, touch } = this.#options;
    if (request.run.lostClaims === 0 && quarantine.isSuspect(run)) quarantine.end();
    const { lease } = request;
    if (endsRun(request)) return;
    if (lease.type === "park") {
      const dueAt = mailSeq > request.mailDone ? clock.now() : lease.dueAt;
      this.#park(run, dueAt, request.restart === true);
    }
    if (lease.type !== "hold") return;
    if (run.turn.diverged) this.#setAside(run);
    if (keeps(run)) for (const step of steps) onStep(run, step);
    for (const step of systemSteps) onSystemStep(run, step);
    onMail(run, mailSeq);
    this.#length.look(run);
    // What has gathered meanwhile goes out, or the run parks.
    if (told || !run.turn.settled || !run.steps.busy || run.hasWork) touch(run);
  }

  #setAside(run: LiveRun): void {
    const { residents, onRoom } = this.#options;
    residents.setAside(run);
    onRoom();
  }

  /** `anew`: what is in memory is the generation before. */
  #park(run: LiveRun, dueAt: number | null, anew: boolean): void {
    const { residents, quarantine, keeps, onParked } = this.#options;
    // A suspect is alone the next time as well, so it comes back by way of the quarantine.
    const kept = !anew && keeps(run) && !run.turn.diverged && !quarantine.isSuspect(run);
    residents.release(run);
    if (kept) residents.park(run);
    else run.end();
    if (dueAt !== null) onParked(dueAt);
  }
}

/** What is recorded of the run's end, or `null` where the commit does not end it. */
function endingOf({ run: { runId, workflow }, request }: OutgoingCommit): RunEnding | null {
  const { status, output = null, error = null } = request.run;
  return !endsRun(request) || status === undefined ? null : { runId, workflow, status, output, error };
}
