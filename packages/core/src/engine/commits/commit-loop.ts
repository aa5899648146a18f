import { type Clock, delay } from "../../clock.ts";
import { WorldError } from "../../errors/index.ts";
import { measured, measures } from "../../interceptors/index.ts";
import type { Logger } from "../../logger.ts";
import { largestBatch } from "../../serialization/index.ts";
import type { CommitResult, World } from "../../world/index.ts";
import type { LiveRun, OutgoingCommit } from "../run/live-run.ts";

/**
 * Group commit: while batches are in flight, the next one fills. A batch whose answer is lost is sent again as it was;
 * the World answers as it would have the first time.
 */

export interface CommitLoopOptions {
  readonly world: World;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly leaseTtl: number;
  /** Whether the run is being given back instead of kept. */
  readonly handingOver: (run: LiveRun) => boolean;
  readonly onResult: (commit: OutgoingCommit, result: CommitResult) => void;
  /** A commit that the store will never take, such as one over its size limit. */
  readonly onRefused: (commit: OutgoingCommit, error: unknown) => void;
}

const LARGEST_BATCH = 500;
/** Fewer than this are not worth a second batch. */
const SMALLEST_SHARE = 50;
const FIRST_DELAY = 20;
const LONGEST_DELAY = 2000;

export class CommitLoop {
  readonly #options: CommitLoopOptions;
  readonly #waiting: Set<LiveRun> = new Set();
  /** When the batches that are in flight were first sent, in monotonic time. */
  readonly #inFlight: Set<{ readonly sentAt: number }> = new Set();
  #closed = false;

  constructor(options: CommitLoopOptions) {
    this.#options = options;
  }

  /** Every batch has been under way for longer than a lease: a worker that cannot commit has no use for more runs. */
  get stuck(): boolean {
    const { clock, leaseTtl, world } = this.#options;
    if (this.#inFlight.size < world.capabilities.commitsInFlight) return false;
    const since = clock.elapsed() - leaseTtl;
    return [...this.#inFlight].every(({ sentAt }) => sentAt < since);
  }

  /** The run may have something to commit. */
  add(run: LiveRun): void {
    this.#waiting.add(run);
  }

  /** Sends what waits, as far as batches may be in flight. */
  flush(): void {
    const { world, clock, leaseTtl, handingOver } = this.#options;
    while (
      !this.#closed &&
      this.#waiting.size > 0 &&
      this.#inFlight.size < world.capabilities.commitsInFlight
    ) {
      const moment = { now: clock.now(), elapsed: clock.elapsed() };
      const batch: OutgoingCommit[] = [];
      const size = this.#shareOfWaiting();
      const limit = largestBatch(world);
      let bytes = 0;
      for (const run of this.#waiting) {
        const next = Math.min(run.turn.outbox.size, limit);
        if (batch.length > 0 && bytes + next > limit) break;
        this.#waiting.delete(run);
        const commit = run.nextCommit(moment, { ttl: leaseTtl, handOver: handingOver(run), limit });
        if (commit === null) continue;
        bytes += next;
        if (batch.push(commit) >= size) break;
      }
      if (batch.length === 0) return;
      const flight = { sentAt: moment.elapsed };
      this.#inFlight.add(flight);
      void this.#send(batch).finally(() => {
        this.#inFlight.delete(flight);
        this.flush();
      });
    }
  }

  /** A store that takes several batches at once gets what waits in several: it works on them side by side. */
  #shareOfWaiting(): number {
    const free = this.#options.world.capabilities.commitsInFlight - this.#inFlight.size;
    const share = Math.max(Math.ceil(this.#waiting.size / free), SMALLEST_SHARE);
    return Math.min(share, LARGEST_BATCH);
  }

  /** Ends the retrying of batches. */
  close(): void {
    this.#closed = true;
  }

  async #send(batch: readonly OutgoingCommit[]): Promise<void> {
    const { world, clock, logger } = this.#options;
    const sentAt = measures() ? clock.elapsed() : null;
    for (let pause = FIRST_DELAY; !this.#closed; pause = Math.min(pause * 2, LONGEST_DELAY)) {
      try {
        const results = await world.commit(
          batch.map(({ request }) => request),
          clock.now(),
        );
        if (sentAt !== null)
          measured(logger, { type: "commit", runs: batch.length, duration: clock.elapsed() - sentAt });
        batch.forEach((commit, index) => {
          this.#options.onResult(commit, results[index] as CommitResult);
        });
        return;
      } catch (error) {
        if (WorldError.is(error) && !error.retryable) {
          await this.#separate(batch, error);
          return;
        }
        // Said once for a batch, however long the store is away.
        logger[pause === FIRST_DELAY ? "warn" : "debug"](
          "the store did not take a commit: it is sent again until it does. Check that the store can be reached",
          { world: world.name, runs: batch.length, error },
        );
        await delay(clock, pause);
      }
    }
  }

  /** One commit of the batch is at fault: send each alone, so that it does not hold up the others. */
  async #separate(batch: readonly OutgoingCommit[], error: unknown): Promise<void> {
    const [only] = batch;
    if (batch.length === 1 && only !== undefined) {
      const { runId, workflow } = only.run;
      this.#options.logger.error(
        "the store refused what a run has to write, so it is parked as diverged and tried again later: mend what the error says, in " +
          "the store or in the values that the run writes; run.retry() has it tried at once",
        { runId, workflow, error },
      );
      this.#options.onRefused(only, error);
      return;
    }
    for (const commit of batch) await this.#send([commit]);
  }
}
