import type { Clock } from "../../clock.ts";
import { WorkflowRuntimeError } from "../../errors/index.ts";
import type { Logger } from "../../logger.ts";
import type { ClaimedRun, Lease, RunCommit, RunPatch, RunRecord, World } from "../../world/index.ts";
import { encodeDivergence } from "../run/divergence.ts";
import type { LiveRun } from "../run/live-run.ts";

/**
 * Runs that may be what ends their workers: their leases were lost again and again and their journals did not move. Such a
 * suspect is executed alone, so that it takes nobody along, and in the end not at all.
 */

/** From so many lost claims without progress on, a run is executed alone. */
export const SUSPECT_AFTER = 3;
/** From so many on, it is parked until somebody calls `run.retry()`. */
export const POISONED_AFTER = 10;

/** A suspect waits for so many leases until the worker's other runs are gone; what is still under way then stays. */
const PATIENCE = 2;
/** The longest lease of a suspect, in leases: so long it stays unattended when it has ended its worker once more. */
const LONGEST_LEASE = 4;

export interface QuarantineOptions {
  readonly world: World;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: () => number;
  readonly leaseTtl: number;
  /** How many runs the worker holds. */
  readonly heldCount: () => number;
  /** The worker takes nothing else, and gives its other runs away. */
  readonly onBegun: () => void;
  /** It works as ever again. */
  readonly onOver: () => void;
}

/** The one suspect that a worker executes, or is about to. */
export class Quarantine {
  readonly #options: QuarantineOptions;
  #suspect: LiveRun | null = null;
  #claimed: ClaimedRun | null = null;
  /** While the suspect waits to be alone. */
  #onAlone: (() => void) | null = null;
  #refused: RunCommit[] = [];

  constructor(options: QuarantineOptions) {
    this.#options = options;
  }

  /** A suspect is here. */
  get active(): boolean {
    return this.#suspect !== null;
  }

  isSuspect(run: LiveRun): boolean {
    return this.#suspect === run;
  }

  /** Resolves when the worker has nothing else under way, or nothing that goes away soon. */
  async admit(run: LiveRun, claimed: ClaimedRun): Promise<void> {
    const { clock, leaseTtl, logger, world } = this.#options;
    const { lostClaims } = claimed.run;
    this.#suspect = run;
    this.#claimed = claimed;
    logger.warn("a run is executed alone, since workers that executed it were lost again and again", {
      runId: run.runId,
      workflow: run.workflow,
      lostClaims,
    });
    this.#options.onBegun();
    await new Promise<void>((resolve) => {
      const cancel = clock.setTimer(clock.now() + PATIENCE * leaseTtl, () => this.#onAlone?.());
      this.#onAlone = () => {
        cancel();
        this.#onAlone = null;
        resolve();
      };
      this.check();
    });
    if (this.#suspect !== run) return;
    const ttl = leaseTtl * Math.min(lostClaims + 1 - SUSPECT_AFTER, LONGEST_LEASE);
    try {
      await world.renew({ leases: [run.lease.id], ttl, now: clock.now() });
    } catch {
      // Then it comes again after a lease of the usual length.
    }
  }

  /** The worker closes: a suspect that has not begun goes back. Returns it, so that its place is cleared. */
  takeWaiting(): LiveRun | null {
    if (this.#suspect === null || this.#claimed === null || this.#onAlone === null) return null;
    this.refuse(this.#claimed, this.#suspect.lease.id);
    return this.#suspect;
  }

  /** A suspect for which there is no place: another worker may have one, or this one later. */
  refuse({ run, lost }: ClaimedRun, lease: Lease): void {
    const { clock, leaseTtl, random } = this.#options;
    if (this.#refused.length === 0) queueMicrotask(() => void this.#giveBack());
    const dueAt = Math.round(clock.now() + leaseTtl * (0.5 + random()));
    const { seq, mailDone } = run;
    const patch = lost ? suspectPatch(run) : {};
    this.#refused.push({ ...lease, seq, events: [], mailDone, run: patch, lease: { type: "park", dueAt } });
  }

  /** Runs have gone, or the suspect has: see whether it is alone, or over. */
  check(): void {
    if (this.#suspect === null) return;
    if (!this.#suspect.lease.renewable) this.end();
    else if (this.#options.heldCount() <= 1) this.#onAlone?.();
  }

  /** The suspect is gone, or has made progress: it ended nobody. */
  end(): void {
    if (this.#suspect === null) return;
    this.#suspect = null;
    this.#claimed = null;
    this.#onAlone?.();
    this.#options.onOver();
  }

  async #giveBack(): Promise<void> {
    const { world, clock, logger } = this.#options;
    const batch = this.#refused;
    this.#refused = [];
    try {
      await world.commit(batch, clock.now());
    } catch (error) {
      logger.warn("runs could not be given back, they come again when their leases are over", {
        runs: batch.length,
        error,
      });
    }
  }
}

/** Whoever executes it must know that its steps were interrupted, and that the lease that it lost was another. */
function suspectPatch({ runId, workflow, lostClaims }: RunRecord): RunPatch {
  const error = new WorkflowRuntimeError(
    `Run "${runId}" of workflow "${workflow}" has lost ${lostClaims} workers in a row and waits for one that executes it alone.`,
  );
  return { status: "diverged", error: encodeDivergence(error, true) };
}
