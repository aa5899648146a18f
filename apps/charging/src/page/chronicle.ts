// What has happened so far, in order, for those who watch: the page gets all of it from the beginning, whenever it is opened.

import type { Victim } from "../servers/moments.ts";

export type Entry =
  | { type: "begun"; customers: readonly string[]; workers: number; apis: number }
  /** An effect took place at an outside server, or was asked for again and answered from memory. */
  | { type: "effect"; effect: "charge" | "refund" | "receipt"; customer: string; replayed: boolean }
  /** A client sent a request for the customer: its first, or one more with the same key. */
  | { type: "asked"; customer: string; again: boolean }
  | { type: "answered"; customer: string; status: number; replayed: boolean }
  | { type: "killed" | "restarted"; victim: Victim; door: number }
  | { type: "note"; line: string }
  | { type: "verdict"; ok: boolean; line: string };

/** An entry, and how many milliseconds after the first one it was added. */
export type Told = Entry & { at: number };

export class Chronicle {
  readonly #told: Told[] = [];
  readonly #listeners = new Set<(told: Told) => void>();
  #begun: number | undefined;

  add(entry: Entry): void {
    const now = performance.now();
    this.#begun ??= now;
    const told = { ...entry, at: Math.round(now - this.#begun) };
    this.#told.push(told);
    for (const listener of this.#listeners) listener(told);
  }

  /** Tells the listener all that was added from entry number `from` on, and what is added later, until the function that it returns is called. */
  follow(from: number, listener: (told: Told) => void): () => void {
    for (const told of this.#told.slice(from)) listener(told);
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
