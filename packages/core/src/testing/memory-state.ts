import type { Hint, RunRecord } from "../world/index.ts";
import { DueQueue } from "./due-queue.ts";
import { MemoryNames } from "./memory-names.ts";
import { MemoryRecords } from "./memory-records.ts";
import type { MemoryRun } from "./memory-run.ts";
import { SortedStrings } from "./sorted-strings.ts";

/**
 * What the memory World stores. One object is one store; every World instance on it sees what the others wrote.
 * Rows, events, mail and names are values that are replaced and never changed, so readers get them without copies.
 */
export class MemoryState {
  readonly runs: Map<string, MemoryRun> = new Map();
  readonly runIds: SortedStrings = new SortedStrings();
  readonly names: MemoryNames = new MemoryNames();
  /** Every message of a stored run, consumed or not, by its id. */
  readonly messages: Map<string, { readonly runId: string; readonly id: string | null }> = new Map();
  /** What committed transactions of users ask for, in their order. */
  readonly outbox: Uint8Array[] = [];
  readonly records: MemoryRecords = new MemoryRecords();
  readonly #due = new Map<string, DueQueue>();
  readonly #listeners = new Set<(hint: Hint) => void>();

  /** The due runs of a queue. */
  due(name: string): DueQueue {
    let queue = this.#due.get(name);
    if (queue === undefined) {
      queue = new DueQueue();
      this.#due.set(name, queue);
    }
    return queue;
  }

  addRun(run: MemoryRun): void {
    const { runId, queue } = run.row;
    this.runs.set(runId, run);
    this.runIds.add(runId);
    this.due(queue).place(run);
  }

  /** Replaces fields of the row and moves the run to its place in the due queue. */
  setRow(run: MemoryRun, change: Partial<RunRecord>): void {
    const { queue } = run.row;
    run.row = { ...run.row, ...change };
    if (run.row.queue !== queue) this.due(queue).remove(run);
    this.due(run.row.queue).place(run);
  }

  deleteRun(run: MemoryRun): void {
    const { runId, queue } = run.row;
    this.runs.delete(runId);
    this.runIds.delete(runId);
    this.due(queue).remove(run);
    for (const mail of [...run.mailbox, ...run.endMail]) this.messages.delete(mail.messageId);
    this.names.releaseAll(run);
  }

  subscribe(listener: (hint: Hint) => void): () => void {
    // A function of its own, so that one listener subscribed twice can leave once.
    const own = (hint: Hint) => listener(hint);
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }

  /** Tells subscribers in a microtask of its own, never inside of the write. */
  hint(hint: Hint): void {
    for (const listener of this.#listeners) {
      queueMicrotask(() => {
        if (this.#listeners.has(listener)) listener(hint);
      });
    }
  }
}
