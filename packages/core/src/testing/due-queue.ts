import type { MemoryRun } from "./memory-run.ts";

/**
 * The due runs of one workflow in the memory World, the longest due first: a binary heap that knows where each run
 * is, so that a lease extended at every commit moves one entry and leaves none behind.
 */
export class DueQueue {
  readonly #heap: MemoryRun[] = [];
  readonly #places = new Map<MemoryRun, number>();

  /** The run with the earliest `dueAt`. */
  first(): MemoryRun | undefined {
    return this.#heap[0];
  }

  /** Puts the run where its row's `dueAt` belongs; takes it out when that is `null`. */
  place(run: MemoryRun): void {
    if (run.row.dueAt === null) {
      this.remove(run);
      return;
    }
    let place = this.#places.get(run);
    if (place === undefined) {
      place = this.#heap.length;
      this.#put(run, place);
    }
    this.#down(this.#up(place));
  }

  remove(run: MemoryRun): void {
    const place = this.#places.get(run);
    if (place === undefined) return;
    this.#places.delete(run);
    const last = this.#heap.pop() as MemoryRun;
    if (last === run) return;
    this.#put(last, place);
    this.#down(this.#up(place));
  }

  #put(run: MemoryRun, place: number): void {
    this.#heap[place] = run;
    this.#places.set(run, place);
  }

  #up(from: number): number {
    const run = this.#heap[from] as MemoryRun;
    let place = from;
    while (place > 0) {
      const above = (place - 1) >> 1;
      const parent = this.#heap[above] as MemoryRun;
      if (!dueBefore(run, parent)) break;
      this.#put(parent, place);
      place = above;
    }
    this.#put(run, place);
    return place;
  }

  #down(from: number): void {
    const run = this.#heap[from] as MemoryRun;
    let place = from;
    for (;;) {
      const left = this.#heap[2 * place + 1];
      const right = this.#heap[2 * place + 2];
      if (left === undefined) break;
      const rightFirst = right !== undefined && dueBefore(right, left);
      const child = rightFirst ? right : left;
      if (!dueBefore(child, run)) break;
      this.#put(child, place);
      place = 2 * place + (rightFirst ? 2 : 1);
    }
    this.#put(run, place);
  }
}

/** Equal times are ordered by run id, so that a simulation with one seed has one course. */
export function dueBefore(a: MemoryRun, b: MemoryRun): boolean {
  const left = a.row.dueAt ?? Number.POSITIVE_INFINITY;
  const right = b.row.dueAt ?? Number.POSITIVE_INFINITY;
  return left === right ? a.row.runId < b.row.runId : left < right;
}
