import type { Clock } from "../../clock.ts";
import type { LiveRun } from "../run/live-run.ts";

/** Giving runs away: all of them when the worker closes, and all others when it has to be alone with one. */

export interface HandOverOptions {
  readonly clock: Clock;
  readonly held: () => Iterable<LiveRun>;
  readonly heldCount: () => number;
  /** Gives up attempts of a run: those that wait for a slot, or all. */
  readonly giveUp: (run: LiveRun, which: "queued" | "all") => void;
  readonly touch: (run: LiveRun) => void;
}

/** So long the store has at least to answer the commits that give runs back, in milliseconds. */
const SHORTEST_HANDOVER = 1000;

export class HandOver {
  readonly #options: HandOverOptions;
  /** Runs that are given back as soon as they can be. */
  readonly #leaving: WeakSet<LiveRun> = new WeakSet();
  #closing = false;
  /** No run is on its way to this worker any more. */
  #complete = false;
  #onEmpty: (() => void) | undefined;

  constructor(options: HandOverOptions) {
    this.#options = options;
  }

  /** Whether this worker goes on with the run, and does not just bring to an end what is under way. */
  keeps(run: LiveRun): boolean {
    return !this.#closing && !this.#leaving.has(run);
  }

  /** The run is given back as soon as it can be. */
  add(run: LiveRun): void {
    this.#leaving.add(run);
  }

  /** The same, and attempts of it that wait for a slot are given up. */
  leave(run: LiveRun): void {
    this.add(run);
    this.#giveUp(run, "queued");
  }

  /** So are all but this one; attempts that wait for a slot are given up. */
  addOthers(stays: (run: LiveRun) => boolean): void {
    for (const run of this.#options.held()) {
      if (!stays(run)) this.leave(run);
    }
  }

  /**
   * Gives every run back: at once where nothing is under way, else when it is, at the latest after `timeout` ms. Resolves when
   * none is held; what does not answer is left to its lease. `arrived`: no run comes any more.
   */
  async close(timeout: number, arrived: Promise<void>): Promise<void> {
    const { clock } = this.#options;
    this.#closing = true;
    const empty = new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
    void arrived.then(() => {
      this.#complete = true;
      this.check();
    });
    for (const run of this.#options.held()) this.#giveUp(run, "queued");
    const cancel = clock.setTimer(clock.now() + timeout, () => {
      for (const run of this.#options.held()) this.#giveUp(run, "all");
      clock.setTimer(clock.now() + Math.max(timeout / 2, SHORTEST_HANDOVER), () => this.#onEmpty?.());
    });
    this.check();
    await empty;
    cancel();
  }

  /** A run has gone. */
  check(): void {
    if (this.#complete && this.#options.heldCount() === 0) this.#onEmpty?.();
  }

  #giveUp(run: LiveRun, which: "queued" | "all"): void {
    this.#options.giveUp(run, which);
    this.#options.touch(run);
  }
}
