import type { Clock } from "../../clock.ts";
import type { Logger } from "../../logger.ts";
import type { World } from "../../world/index.ts";
import type { LiveRun } from "../run/live-run.ts";

/** Keeping leases from the event loop: every third of a lease, those that no commit has extended lately. */

export interface LeaseRenewalOptions {
  readonly world: World;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly leaseTtl: number;
  readonly runs: () => Iterable<LiveRun>;
  /** The event loop is alive: called every third of a lease. */
  readonly onBeat: () => void;
  readonly onRenewed: (run: LiveRun, mailSeq: number) => void;
  readonly onLost: (run: LiveRun) => void;
}

export class LeaseRenewal {
  readonly #options: LeaseRenewalOptions;
  #cancelTimer: (() => void) | undefined;
  #renewing: Promise<boolean> | undefined;
  /** When the last round began that the store answered. */
  #lastRound: number;
  /** The last request was not answered, which was said. */
  #unanswered = false;
  /** Runs whose leases are confirmed with the next request. */
  #doubtful: Set<LiveRun> = new Set();

  constructor(options: LeaseRenewalOptions) {
    this.#options = options;
    this.#lastRound = options.clock.elapsed();
  }

  start(): void {
    const { clock, leaseTtl } = this.#options;
    this.#cancelTimer = clock.setTimer(clock.now() + leaseTtl / 3, () => {
      this.start();
      this.#options.onBeat();
      void this.#round();
    });
  }

  /**
   * After this process has stood still, or its event loop was blocked: renews what may have run out meanwhile. False if the
   * store did not answer.
   */
  async catchUp(): Promise<boolean> {
    const { clock, leaseTtl } = this.#options;
    return clock.elapsed() - this.#lastRound < (leaseTtl * 2) / 3 || (await this.#round());
  }

  /** Renews what no commit has extended lately. */
  async #round(): Promise<boolean> {
    const { clock, leaseTtl } = this.#options;
    const began = clock.elapsed();
    const answered = await this.#inTurn(() => {
      const soon = clock.elapsed() + (leaseTtl * 2) / 3;
      return [...this.#options.runs()].filter((run) => run.lease.until < soon);
    });
    if (answered) this.#lastRound = began;
    return answered;
  }

  close(): void {
    this.#cancelTimer?.();
  }

  /** Asks the store whether the run's lease is still ours: one request for all runs that are named until it is sent. */
  confirm(run: LiveRun): void {
    this.#doubtful.add(run);
    if (this.#doubtful.size > 1) return;
    this.#options.clock.turn(
      () =>
        void this.#inTurn(() => {
          const runs = [...this.#doubtful];
          this.#doubtful = new Set();
          return runs;
        }),
    );
  }

  /** One request at a time; `select` is called when it is the next. False if the store did not answer. */
  async #inTurn(select: () => readonly LiveRun[]): Promise<boolean> {
    while (this.#renewing !== undefined) await this.#renewing;
    this.#renewing = this.#renew(select()).finally(() => {
      this.#renewing = undefined;
    });
    return await this.#renewing;
  }

  async #renew(selected: readonly LiveRun[]): Promise<boolean> {
    const { world, clock, logger, leaseTtl } = this.#options;
    const [now, elapsed] = [clock.now(), clock.elapsed()];
    const runs = selected.filter(({ lease }) => lease.renewable && !lease.isOverdue(elapsed, leaseTtl));
    if (runs.length === 0) return true;
    const leases = runs.map(({ lease }) => lease.id);
    try {
      const results = await world.renew({ leases, ttl: leaseTtl, now });
      this.#unanswered = false;
      runs.forEach((run, index) => {
        const result = results[index];
        // The run may have been parked, ended or claimed anew while the answer was on its way.
        if (result === undefined || run.lease.epoch !== leases[index]?.epoch) return;
        if (!run.lease.renewable) return;
        if (result.outcome === "renewed") {
          run.lease.extend(elapsed + leaseTtl);
          this.#options.onRenewed(run, result.mailSeq);
        } else if (!run.lease.committing) {
          // With a commit under way its own answer tells: it may be the one that gave the lease back.
          this.#options.onLost(run);
        }
      });
      return true;
    } catch (error) {
      // Said once, however long the store is away.
      logger[this.#unanswered ? "debug" : "warn"](
        "leases could not be renewed: it is tried again, and other workers take the runs over when they run out. Check that the " +
          "store can be reached",
        { world: world.name, leases: runs.length, error },
      );
      this.#unanswered = true;
      return false;
    }
  }
}
