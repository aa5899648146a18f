import type { Clock } from "../clock.ts";

/** Whether a worker has nothing left to do now, and, in one that only drains its store, which runs it had. */

export interface DrainWatchOptions {
  readonly clock: Clock;
  /** Whether the worker drains: then it looks again as soon as it holds nothing. */
  readonly drains: boolean;
  readonly residents: { readonly heldCount: number };
  /** Runs on their way here, and runs that have ended and are looked after. */
  readonly others: readonly { readonly busy: boolean }[];
  readonly claims: { wake(): void; readonly nextDueAt: number | null };
}

export class DrainWatch {
  /** Resolves when no run is held, and a look for due runs that began then has found none. */
  readonly over: Promise<void>;
  readonly #options: DrainWatchOptions;
  readonly #runs: Set<string> = new Set();
  #end: () => void = () => {};

  constructor(options: DrainWatchOptions) {
    this.#options = options;
    this.over = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  /** How many runs were taken. */
  get processed(): number {
    return this.#runs.size;
  }

  /** The time, by the store's clock where it has one. */
  get now(): number {
    return this.#options.clock.now();
  }

  /** When the next run is due that this worker would take, as of the last look and of what was given back since; or `null`. */
  get nextDueAt(): number | null {
    return this.#options.claims.nextDueAt;
  }

  /** Whether no run is held, or on its way here, or looked after. */
  get idle(): boolean {
    const { residents, others } = this.#options;
    return residents.heldCount === 0 && !others.some(({ busy }) => busy);
  }

  /** The worker has the run's lease. */
  took(runId: string): void {
    if (this.#options.drains) this.#runs.add(runId);
  }

  /** A run has gone. */
  left(): void {
    if (this.#options.drains && this.idle) this.#options.claims.wake();
  }

  /** A claim is over. `quiet`: the worker was idle when it began, it brought nothing, and nothing is due. */
  looked(quiet: boolean): void {
    if (quiet && this.idle) this.#end();
  }
}
