import type { Hint, HookRecord, RunRecord } from "../world/index.ts";
import { DueQueue } from "./due-queue.ts";
import { MemoryRecords } from "./memory-records.ts";
import type { MemoryRun } from "./memory-run.ts";
import { SortedStrings } from "./sorted-strings.ts";

/**
 * What the memory World stores. One object is one store; every World instance on it sees what the others wrote.
 * Rows, events, mail and hooks are values that are replaced and never changed, so readers get them without copies.
 */
export class MemoryState {
  readonly runs: Map<string, MemoryRun> = new Map();
  readonly runIds: SortedStrings = new SortedStrings();
  /** Live hooks by token. */
  readonly hooks: Map<string, HookRecord> = new Map();
  readonly tokens: SortedStrings = new SortedStrings();
  /** Every message of a stored run, consumed or not, by its id. */
  readonly messages: Map<string, { readonly runId: string; readonly hookId: string | null }> = new Map();
  readonly records: MemoryRecords = new MemoryRecords();
  readonly #due = new Map<string, DueQueue>();
  readonly #startKeys = new Map<string, Map<string, MemoryRun>>();
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
    const { runId, workflow, queue } = run.row;
    this.runs.set(runId, run);
    this.runIds.add(runId);
    this.due(queue).place(run);
    if (run.startKey !== null) this.#keysOf(workflow).set(run.startKey.key, run);
  }

  /** Replaces fields of the row and moves the run to its place in the due queue. */
  setRow(run: MemoryRun, change: Partial<RunRecord>): void {
    const { queue } = run.row;
    run.row = { ...run.row, ...change };
    if (run.row.queue !== queue) this.due(queue).remove(run);
    this.due(run.row.queue).place(run);
  }

  deleteRun(run: MemoryRun): void {
    const { runId, workflow, queue } = run.row;
    this.runs.delete(runId);
    this.runIds.delete(runId);
    this.due(queue).remove(run);
    for (const mail of run.mailbox) this.messages.delete(mail.messageId);
    this.freeTokens(run);
    // The key may be a later run's by now.
    const keys = this.#keysOf(workflow);
    if (run.startKey !== null && keys.get(run.startKey.key) === run) keys.delete(run.startKey.key);
  }

  /** The run that was last started with the key. */
  keyHolder(workflow: string, key: string): MemoryRun | undefined {
    return this.#keysOf(workflow).get(key);
  }

  takeToken(run: MemoryRun, hook: HookRecord): void {
    this.hooks.set(hook.token, hook);
    this.tokens.add(hook.token);
    run.tokens.set(hook.hookId, hook.token);
  }

  freeToken(run: MemoryRun, hookId: string): void {
    const token = run.tokens.get(hookId);
    if (token === undefined) return;
    run.tokens.delete(hookId);
    this.hooks.delete(token);
    this.tokens.delete(token);
  }

  freeTokens(run: MemoryRun): void {
    for (const hookId of [...run.tokens.keys()]) this.freeToken(run, hookId);
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

  #keysOf(workflow: string): Map<string, MemoryRun> {
    let keys = this.#startKeys.get(workflow);
    if (keys === undefined) {
      keys = new Map();
      this.#startKeys.set(workflow, keys);
    }
    return keys;
  }
}

/** A copy of the caller's bytes, which it may use again. */
export function keepBytes(data: Uint8Array): Uint8Array;
export function keepBytes(data: Uint8Array | null): Uint8Array | null;
export function keepBytes(data: Uint8Array | null): Uint8Array | null {
  return data === null ? null : new Uint8Array(data);
}
