import type { PendingSystemStep } from "../../interpreter/kinds/system-step.ts";

/** The system steps of a run that may be executed, and those that are. One that waits for a message is neither. */
export class RunSystemSteps {
  #toStart: PendingSystemStep[] = [];
  readonly #underWay: Set<PendingSystemStep> = new Set();

  /** One is being executed. */
  get busy(): boolean {
    return this.#underWay.size > 0;
  }

  /** One may start. */
  get waiting(): boolean {
    return this.#toStart.length > 0;
  }

  add(step: PendingSystemStep): void {
    this.#toStart.push(step);
  }

  /** Takes those that may start, but for those whose `system_step_created` is not written yet. */
  take(unwritten?: ReadonlySet<string | null>): readonly PendingSystemStep[] {
    if (this.#toStart.length === 0) return [];
    const taken = this.#toStart.filter(({ id }) => unwritten?.has(id) !== true);
    this.#toStart = this.#toStart.filter(({ id }) => unwritten?.has(id) === true);
    for (const step of taken) this.#underWay.add(step);
    return taken;
  }

  /** It was executed; what it waits for beyond that comes by mail. */
  ended(step: PendingSystemStep): void {
    this.#underWay.delete(step);
  }
}
