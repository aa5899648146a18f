import { LawBroken } from "../failure.ts";

/**
 * The other side of steps that are called at most once: it knows what happened, and keeps what it once said did not from happening
 * later.
 */
export class Effects {
  /** Attempts whose body has begun, by `stepId`. */
  readonly #begun: Map<string, Set<string>> = new Map();
  /** The attempts that have asked. */
  readonly #asked: Set<string> = new Set();
  /** The attempts that came too late. */
  readonly #refused: Set<string> = new Set();
  readonly #happened: Set<string> = new Set();

  /**
   * A body begins: it is the first one, or the other side was asked.
   *
   * @param retried somebody has the failed step of another run executed anew, and nobody can be asked
   */
  begin(runId: string, stepId: string, attempt: number, retried: boolean): void {
    const begun = this.#begun.get(stepId) ?? new Set();
    const place = `${runId}/${stepId}/${attempt}`;
    this.#begun.set(stepId, begun);
    if (begun.size > 0 && !this.#asked.has(place) && !retried) {
      const what = `the body of step ${stepId} begins in attempt ${attempt}, after ${[...begun].join(", ")}, and nobody asked`;
      throw new LawBroken("at most once", what, runId);
    }
    // Whoever retries takes it on himself that a body which nobody hears of any more may still be under way.
    if (retried) for (const before of begun) this.#refused.add(before);
    begun.add(place);
    if (retried) this.#happened.delete(stepId);
  }

  /** What the body is for happens, unless it was said that it did not. */
  happen(runId: string, stepId: string, attempt: number): void {
    if (this.#refused.has(`${runId}/${stepId}/${attempt}`)) return;
    if (this.#happened.has(stepId)) {
      throw new LawBroken("at most once", `step ${stepId} has its effect again in attempt ${attempt}`, runId);
    }
    this.#happened.add(stepId);
  }

  /** Whether it happened. What did not, will not. */
  ask(runId: string, stepId: string, attempt: number): boolean {
    this.#asked.add(`${runId}/${stepId}/${attempt}`);
    if (this.#happened.has(stepId)) return true;
    for (const place of this.#begun.get(stepId) ?? []) this.#refused.add(place);
    return false;
  }
}
