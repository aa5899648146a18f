import type { Clock } from "../clock.ts";
import type { LiveRun } from "./run/live-run.ts";

/** One timer for the sleeps and retries of all held runs. Waiting runs need none: their `dueAt` is in the store. */

export interface RunAlarmOptions {
  readonly clock: Clock;
  readonly held: () => Iterable<LiveRun>;
  readonly onDue: (run: LiveRun) => void;
}

export class RunAlarm {
  readonly #options: RunAlarmOptions;
  #cancel: (() => void) | undefined;
  #at = Number.POSITIVE_INFINITY;

  constructor(options: RunAlarmOptions) {
    this.#options = options;
  }

  /** The run's next sleep or retry may be due before the others'. */
  note(run: LiveRun): void {
    const at = run.lease.held ? run.nextDueAt : null;
    if (at === null || at >= this.#at) return;
    this.#cancel?.();
    this.#at = at;
    this.#cancel = this.#options.clock.setTimer(at, () => this.#ring());
  }

  close(): void {
    this.#cancel?.();
  }

  #ring(): void {
    this.#at = Number.POSITIVE_INFINITY;
    const now = this.#options.clock.now();
    for (const run of this.#options.held()) {
      const due = run.nextDueAt;
      if (due !== null && due <= now) this.#options.onDue(run);
      else this.note(run);
    }
  }
}
