import TinyQueue from "tinyqueue";
import type { Pending } from "../../interpreter/pending.ts";

/** When the sleeps and retries of one run are due, the earliest first. */
export class Dues {
  readonly #queue: TinyQueue<Due> = new TinyQueue<Due>([], (a, b) => a.at - b.at);
  readonly #pending: ReadonlyMap<string, Pending>;

  /** @param pending what the run waits for; entries that are not in it any more, or have another time now, are skipped */
  constructor(pending: ReadonlyMap<string, Pending>) {
    this.#pending = pending;
  }

  add(id: string, at: number): void {
    this.#queue.push({ at, id });
  }

  /** The earliest time, or `null`. */
  get next(): number | null {
    return this.#head()?.at ?? null;
  }

  /** Takes the earliest entry that is due, if there is one. */
  take(now: number): Pending | undefined {
    const head = this.#head();
    if (head === undefined || head.at > now) return undefined;
    this.#queue.pop();
    return this.#pending.get(head.id);
  }

  #head(): Due | undefined {
    for (let due = this.#queue.peek(); due !== undefined; due = this.#queue.peek()) {
      const entry = this.#pending.get(due.id);
      if (entry?.dueAt === due.at) return due;
      this.#queue.pop();
    }
    return undefined;
  }
}

interface Due {
  readonly at: number;
  readonly id: string;
}
