import type { Logger } from "../../logger.ts";
import type { CachedRun, Lease } from "../../world/index.ts";
import type { LeaseKeeper } from "../leases/lease-keeper.ts";
import type { LiveRun } from "../run/live-run.ts";
import { RunExecutions } from "../run/run-executions.ts";

/** Which runs a worker has in memory: those that it holds a lease of, and those that wait without one until they are evicted. */

export interface ResidentsOptions {
  /** How many runs, held and waiting, are kept. Held ones are never evicted. */
  readonly maxRuns: number;
  readonly logger: Logger;
  /** Keeps the process alive while runs are held; returns the function that lets it go. */
  readonly keepProcessAlive: () => () => void;
  /** A run is held. */
  readonly onTaken: (run: LiveRun) => void;
  /** A run is no longer held. */
  readonly onReleased: () => void;
}

export class Residents {
  /** Renews leases while the event loop is blocked; told of every lease. */
  keeper: LeaseKeeper | undefined;
  readonly executions: RunExecutions;
  readonly #options: ResidentsOptions;
  readonly #held: Map<string, LiveRun> = new Map();
  /** Those of them that are diverged and wait, under their lease, for something to change. */
  readonly #setAside: Set<LiveRun> = new Set();
  /** The longest waiting first. */
  readonly #parked: Map<string, LiveRun> = new Map();
  readonly #cached: Map<string, CachedRun> = new Map();
  #releaseProcess: (() => void) | undefined;

  constructor(options: ResidentsOptions) {
    this.#options = options;
    this.executions = new RunExecutions(options.logger);
  }

  get heldCount(): number {
    return this.#held.size;
  }

  /** How many of the held runs take a place. */
  get placesTaken(): number {
    return this.#held.size - this.#setAside.size;
  }

  held(): Iterable<LiveRun> {
    return this.#held.values();
  }

  heldRun(runId: string): LiveRun | undefined {
    return this.#held.get(runId);
  }

  /** The waiting runs as a claim wants to know them. */
  get parked(): ReadonlyMap<string, CachedRun> {
    return this.#cached;
  }

  /** The answer that gave the lease was so late that this worker holds the run under a newer one. */
  isOutdated({ runId, epoch }: Lease): boolean {
    return (this.#held.get(runId)?.lease.epoch ?? 0) > epoch;
  }

  /** A lease of the run is ours. */
  take(run: LiveRun, lease: Lease, leaseUntil: number): void {
    run.lease.take(lease, leaseUntil);
    this.#held.set(run.runId, run);
    this.#options.onTaken(run);
    this.keeper?.take(lease);
    this.#releaseProcess ??= this.#options.keepProcessAlive();
  }

  /** A held run waits for something to change: it takes no place until it is released. */
  setAside(run: LiveRun): void {
    if (this.#held.get(run.runId) === run) this.#setAside.add(run);
  }

  /** The run is not held any more. */
  release(run: LiveRun): void {
    if (this.#held.get(run.runId) === run) {
      this.#held.delete(run.runId);
      this.#setAside.delete(run);
      this.keeper?.release(run.runId);
    }
    if (this.#held.size === 0) {
      this.#releaseProcess?.();
      this.#releaseProcess = undefined;
    }
    this.executions.left(run);
    this.#options.onReleased();
  }

  /** Keeps a run that gave its lease back; the longest waiting make room. */
  park(run: LiveRun): void {
    this.#parked.set(run.runId, run);
    this.#cached.set(run.runId, run.lease);
    while (this.#parked.size + this.#held.size > this.#options.maxRuns) {
      const [oldest] = this.#parked.values();
      if (oldest === undefined) return;
      this.unpark(oldest.runId);
      oldest.end();
    }
  }

  /** Takes a waiting run out, if it is here. */
  unpark(runId: string): LiveRun | undefined {
    const run = this.#parked.get(runId);
    this.#parked.delete(runId);
    this.#cached.delete(runId);
    return run;
  }

  /** Ends a run here, without a word to the store. */
  drop(run: LiveRun, reason?: unknown): void {
    run.end(reason);
    if (this.#parked.get(run.runId) === run) this.unpark(run.runId);
    this.release(run);
  }

  /** Drops all. */
  clear(): void {
    for (const run of [...this.#held.values(), ...this.#parked.values()]) this.drop(run);
  }
}
