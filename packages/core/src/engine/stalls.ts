import type { Clock } from "../clock.ts";
import type { Logger } from "../logger.ts";
import type { LiveRun } from "./run/live-run.ts";

/**
 * Workflows that have not ended, have asked for nothing, and wait for nothing durable. Most compute something on another
 * thread, such as a digest, and go on soon: until then nothing is delivered to them, so that a replay, which waits as well,
 * sees the same order. One that does not go on is named in a warning, and gets what has arrived.
 */

export interface StallsOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** The next tick has to look at the run. */
  readonly touch: (run: LiveRun) => void;
}

/** So long may a workflow work before it counts as waiting, in milliseconds. Less than a replay waits for it. */
const PATIENCE = 1000;

/** So often it is looked at after that, a real millisecond apart: a test's clock, or a process that slept, jumps. */
const LAST_LOOKS = 50;

export class Stalls {
  readonly #options: StallsOptions;
  readonly #watched: Set<LiveRun> = new Set();
  readonly #warned: WeakSet<LiveRun> = new WeakSet();

  constructor(options: StallsOptions) {
    this.#options = options;
  }

  /** Looks at a run after a tick. */
  note(run: LiveRun): void {
    if (!run.working || this.#watched.has(run)) return;
    const { clock } = this.#options;
    const { progress } = run.execution;
    this.#watched.add(run);
    clock.setTimer(clock.now() + PATIENCE, async () => {
      const idle = (): boolean => run.working && run.execution.progress === progress;
      for (let looks = 0; looks < LAST_LOOKS && idle(); looks++) {
        await new Promise<void>((resolve) => clock.pause(resolve));
      }
      this.#watched.delete(run);
      if (idle()) this.#giveUp(run);
      else this.note(run);
    });
  }

  #giveUp(run: LiveRun): void {
    const { logger, touch } = this.#options;
    if (!this.#warned.has(run)) {
      this.#warned.add(run);
      logger.warn(
        "the workflow waits for something that is not durable, so it would hang after a crash: do it in a step",
        { runId: run.runId, workflow: run.workflow, lastCall: run.execution.lastCall },
      );
    }
    run.stopWaiting();
    touch(run);
  }
}
