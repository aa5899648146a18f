import type { Clock } from "../clock.ts";
import { refreshGuard } from "../determinism/index.ts";
import type { PendingStep } from "../interpreter/kinds/step.ts";
import type { PendingSystemStep } from "../interpreter/kinds/system-step.ts";
import { drain } from "../interpreter/replay.ts";
import type { LiveRun } from "./run/live-run.ts";

/**
 * What moves the runs of a worker: deliver one event to each that has something to hear, let the event loop drain, gather what
 * they ask for. All that was gathered goes to the commit loop together.
 */

export interface TickOptions {
  readonly clock: Clock;
  /** Whether this worker goes on with the run, and does not just bring to an end what is under way. */
  readonly keeps: (run: LiveRun) => boolean;
  /** Before any code of the user's runs. */
  readonly onBegin: () => void;
  /** The run cannot go on with what it was told. */
  readonly onDiverged: (run: LiveRun, error: unknown) => void;
  /** A step of which the journal knows may start. */
  readonly onStep: (run: LiveRun, step: PendingStep) => void;
  readonly onSystemStep: (run: LiveRun, step: PendingSystemStep) => void;
  /** The run may have something to commit, or may wait for its time. */
  readonly onGathered: (run: LiveRun) => void;
  /** What was gathered may go out. */
  readonly onOver: () => void;
}

/** So many ticks may pass before what they gathered is committed, when every tick makes the next one possible. */
const TICKS_PER_COMMIT = 64;

export class Tick {
  readonly #options: TickOptions;
  /** Runs that the next tick looks at. */
  #dirty: Set<LiveRun> = new Set();
  #ticking = false;

  constructor(options: TickOptions) {
    this.#options = options;
  }

  /** The next tick looks at the run. */
  touch(run: LiveRun): void {
    this.#dirty.add(run);
    if (this.#ticking) return;
    this.#ticking = true;
    this.#options.clock.turn(() => void this.#run());
  }

  async #run(): Promise<void> {
    const { clock, onBegin, onOver } = this.#options;
    for (let ticks = 1; this.#dirty.size > 0; ticks++) {
      const runs = this.#dirty;
      this.#dirty = new Set();
      const now = clock.now();
      onBegin();
      // Fake timers or spies may have been put over the guard since the last tick.
      refreshGuard();
      let unsettled = false;
      for (const run of runs) {
        if (this.#deliver(run, now)) unsettled = true;
      }
      if (unsettled) await drain(clock);
      this.#gather(runs, clock.now());
      if (this.#dirty.size === 0 || ticks % TICKS_PER_COMMIT === 0) onOver();
    }
    this.#ticking = false;
  }

  /** True if the run's code has to drain. */
  #deliver(run: LiveRun, now: number): boolean {
    if (!run.lease.held) return false;
    if (!run.turn.settled) return true;
    run.wake(now);
    try {
      if (run.turn.state !== "fresh") return run.deliverable && run.turn.deliverNext(now);
      if (!this.#options.keeps(run)) return false;
      run.turn.begin(now);
      return true;
    } catch (error) {
      this.#options.onDiverged(run, error);
      return false;
    }
  }

  #gather(runs: Iterable<LiveRun>, now: number): void {
    const { keeps, onStep, onSystemStep, onGathered } = this.#options;
    for (const run of runs) {
      if (!run.lease.held) continue;
      run.gather(now);
      if (run.deliverable) this.#dirty.add(run);
      if (keeps(run)) {
        for (const step of run.takeRestarts()) onStep(run, step);
        for (const step of run.takeSystemRestarts()) onSystemStep(run, step);
      }
      onGathered(run);
    }
  }
}
