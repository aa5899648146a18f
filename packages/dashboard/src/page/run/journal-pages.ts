import { type Signal, signal } from "@preact/signals";
import type { EventRow, JournalPage } from "../../protocol.ts";
import { get, messageOf, pathOf } from "../api.ts";

/** The journal of a run, of which those stretches are loaded that are looked at. */

const PAGE = 200;

export class JournalPages {
  /** Grows with what is loaded: a component that reads it is drawn anew. */
  readonly version: Signal<number> = signal(0);
  readonly error: Signal<string | null> = signal(null);
  readonly #runId: string;
  readonly #events: Map<number, EventRow> = new Map();
  readonly #asked: Set<number> = new Set();

  constructor(runId: string) {
    this.#runId = runId;
  }

  /** The event at a place, or `undefined` while it is not loaded. */
  at(seq: number): EventRow | undefined {
    return this.#events.get(seq);
  }

  /** Loads what is missing from one place to another. */
  load(first: number, last: number): void {
    for (let page = Math.floor((first - 1) / PAGE); page <= Math.floor((last - 1) / PAGE); page++) {
      const from = Math.max(first, page * PAGE + 1);
      const to = Math.min(last, (page + 1) * PAGE);
      if (!this.#asked.has(page) && this.#lacks(from, to)) void this.#load(page);
    }
  }

  #lacks(from: number, to: number): boolean {
    for (let seq = from; seq <= to; seq++) if (!this.#events.has(seq)) return true;
    return false;
  }

  async #load(page: number): Promise<void> {
    this.#asked.add(page);
    try {
      const wanted = { after: page * PAGE, limit: PAGE };
      const { events } = await get<JournalPage>(pathOf("journal", { id: this.#runId }, wanted));
      for (const event of events) this.#events.set(event.seq, event);
      this.error.value = null;
    } catch (error) {
      this.error.value = messageOf(error);
    }
    this.#asked.delete(page);
    this.version.value++;
  }
}
