/** What was seen of the backlog while somebody looked: no store can say how it was an hour ago. */

/** One look. */
export interface BacklogSample {
  readonly at: number;
  readonly pending: number;
  readonly lag: number | null;
}

/** Between two that are kept, in milliseconds, and how many are: a day and a half. */
const [APART, MOST] = [10_000, 12_960];

export class BacklogSamples {
  readonly #samples: BacklogSample[] = [];

  add(sample: BacklogSample): void {
    const last = this.#samples.at(-1);
    if (last !== undefined && sample.at - last.at < APART) return;
    this.#samples.push(sample);
    if (this.#samples.length > MOST) this.#samples.shift();
  }

  /** For each of the buckets that begin at these times: the highest numbers in it; `null` where nobody looked. */
  in(
    times: readonly number[],
    step: number,
  ): {
    readonly backlog: readonly (number | null)[];
    readonly lag: readonly (number | null)[];
  } {
    const backlog: (number | null)[] = times.map(() => null);
    const lag: (number | null)[] = times.map(() => null);
    const [first] = times;
    for (const { at, pending, lag: behind } of this.#samples) {
      const bucket = first === undefined ? -1 : Math.floor((at - first) / step);
      if (bucket < 0 || bucket >= times.length) continue;
      backlog[bucket] = Math.max(backlog[bucket] ?? 0, pending);
      lag[bucket] = Math.max(lag[bucket] ?? 0, behind ?? 0);
    }
    return { backlog, lag };
  }
}
