import type { Execution } from "../../interpreter/execution.ts";
import { comesAfterLost, regainsLocks } from "../../interpreter/kinds/lock.ts";
import type { PendingSystemStep } from "../../interpreter/kinds/system-step.ts";

/** The system steps of a run that may be executed, and those that are. One that waits for a message is neither. */
export class RunSystemSteps {
  readonly #execution: Execution;
  #toStart: PendingSystemStep[] = [];
  readonly #underWay: Set<PendingSystemStep> = new Set();

  constructor(execution: Execution) {
    this.#execution = execution;
  }

  /** One is being executed. */
  get busy(): boolean {
    return this.#underWay.size > 0;
  }

  /** One may start. */
  get waiting(): boolean {
    if (!regainsLocks(this.#execution)) return this.#toStart.length > 0;
    return this.#toStart.some((step) => !comesAfterLost(this.#execution, step));
  }

  /** Nothing is to start: everything unfinished is added again. */
  clear(): void {
    this.#toStart = [];
  }

  add(step: PendingSystemStep): void {
    this.#toStart.push(step);
  }

  /** Takes those that may start, but for those whose `system_step_created` is not written yet. */
  take(unwritten?: ReadonlySet<string | null>): readonly PendingSystemStep[] {
    if (this.#toStart.length === 0) return [];
    const waits = (step: PendingSystemStep): boolean =>
      unwritten?.has(step.id) === true || comesAfterLost(this.#execution, step);
    const taken = this.#toStart.filter((step) => !waits(step));
    this.#toStart = this.#toStart.filter(waits);
    for (const step of taken) this.#underWay.add(step);
    return taken;
  }

  /** It was executed; what it waits for beyond that comes by mail. */
  ended(step: PendingSystemStep): void {
    this.#underWay.delete(step);
  }
}
