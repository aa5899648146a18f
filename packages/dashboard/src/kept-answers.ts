import { type Clock, systemClock } from "@perdure/core/world";

/**
 * Answers that are kept for a while: for all viewers together, and the longer the more they cost, so that a costly question takes a
 * twentieth of the store's time.
 */

interface Kept {
  readonly answer: Promise<unknown>;
  /** While it is asked: never. */
  until: number;
}

/** How many times its cost an answer is kept; not shorter and not longer than so many milliseconds. */
const [TIMES, SHORTEST, LONGEST] = [20, 500, 10_000];
/** So many answers are kept. */
const MOST = 200;

export class KeptAnswers {
  readonly #clock: Clock;
  readonly #kept: Map<string, Kept> = new Map();

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /** Something was changed by a viewer, who expects to see it. */
  clear(): void {
    this.#kept.clear();
  }

  /** The answer to a question that is known by `key`: one that was given lately, or a new one. An error is not kept. */
  get<T>(key: string, ask: () => Promise<T>): Promise<T> {
    const began = this.#clock.elapsed();
    const before = this.#kept.get(key);
    if (before !== undefined && began < before.until) return before.answer as Promise<T>;
    const answer = ask();
    const kept: Kept = { answer, until: Number.POSITIVE_INFINITY };
    this.#kept.delete(key);
    this.#kept.set(key, kept);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > MOST && oldest !== undefined) this.#kept.delete(oldest);
    answer.then(
      () => {
        const now = this.#clock.elapsed();
        kept.until = now + Math.min(Math.max(SHORTEST, TIMES * (now - began)), LONGEST);
      },
      () => {
        if (this.#kept.get(key) === kept) this.#kept.delete(key);
      },
    );
    return answer;
  }
}
