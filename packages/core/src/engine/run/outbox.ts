import { WorkflowRunCancelledError } from "../../errors/index.ts";
import type { CancelRecord } from "../../interpreter/kinds/cancel.ts";
import type { Heard } from "../../interpreter/kinds/kind.ts";
import type { RetryRecord } from "../../interpreter/kinds/step.ts";
import type { Outcome, Request } from "../../interpreter/pending.ts";
import { decode, encode, encodeError, sizeInBatch } from "../../serialization/index.ts";
import type { CommitEvent, NewEvent, RunPatch } from "../../world/index.ts";
import { ENGINE_QUEUE } from "../engine-queue.ts";

/** What one commit takes. */
export interface OutboxPart {
  readonly events: readonly CommitEvent[];
  readonly patch: RunPatch;
  readonly whole: boolean;
  /** These events begin the journal anew. */
  readonly restart: boolean;
}

/** What the next commit of a run writes: events, in order, and the changes of its row that go with them. */
export class Outbox {
  readonly #runId: string;
  #events: CommitEvent[] = [];
  #patch: { -readonly [K in keyof RunPatch]: RunPatch[K] } = {};
  #patched = false;
  #lastAt = 0;
  /** How the journal begins anew, after all that waits here. */
  #next: readonly CommitEvent[] | null = null;
  #owes = false;
  #progress = false;
  #size = 0;

  constructor(runId: string) {
    this.#runId = runId;
  }

  get isEmpty(): boolean {
    return this.#events.length === 0 && !this.#patched && this.#next === null;
  }

  /** An event in it means that code of the user's has got on, and not just that a worker was lost. */
  get hasProgress(): boolean {
    return this.#progress;
  }

  get hasEvents(): boolean {
    return this.#events.length > 0;
  }

  /** Something is to be done when the run has ended: it stays due, in the queue of all workers. */
  owe(): void {
    this.#owes = true;
    this.patch({ queue: ENGINE_QUEUE });
  }

  /** Another worker goes on with the run: what it owes, or its next generation. */
  get leavesWork(): boolean {
    return this.#owes || this.#next !== null;
  }

  /** The run continues as new: its journal begins anew with these events. */
  beginAnew(events: readonly CommitEvent[]): void {
    this.#next = events;
  }

  /** No event may be earlier than this: the journal's time does not go back, whatever clocks do. */
  notBefore(at: number): void {
    this.#lastAt = Math.max(this.#lastAt, at);
  }

  append(
    type: string,
    now: number,
    id: string | null,
    name: string | null,
    data: Uint8Array | null,
    progress = true,
  ): NewEvent {
    this.notBefore(now);
    this.#progress ||= progress;
    return this.#add({ type, at: this.#lastAt, id, name, data });
  }

  /** Appends an event that the code gets. */
  tell({ type, id, name = null, data, release, at }: Heard, now: number): NewEvent {
    this.notBefore(now);
    this.#progress = true;
    const event: CommitEvent = { type, at: at ?? this.#lastAt, id, name, data };
    return this.#add(release === undefined ? event : { ...event, release });
  }

  /** Appends what the code asks for. */
  ask({ type, id, name, data, claim, release, patch, at }: Request, now: number): NewEvent {
    this.notBefore(now);
    if (patch !== undefined) this.patch(patch);
    this.#progress = true;
    const event: CommitEvent = { type, at: at ?? this.#lastAt, id, name, data };
    if (claim !== undefined) return this.#add({ ...event, claim });
    return this.#add(release === undefined ? event : { ...event, release });
  }

  /** Changes the row with the next commit. */
  patch(patch: RunPatch): void {
    this.#patched ||= Object.keys(patch).length > 0;
    Object.assign(this.#patch, patch);
  }

  /** An attempt did not succeed, and another one comes. A worker that was lost is no progress. */
  retry(stepId: string, began: string | null, record: RetryRecord, now: number): void {
    const progress = record.reason === "error" || record.reason === "timeout";
    this.append("step_retrying", now, stepId, began, encode(record, "retry"), progress);
  }

  /** The workflow function has ended. */
  end(outcome: Extract<Outcome, { type: "returned" | "threw" }>, now: number): void {
    if (outcome.type === "returned") {
      const { output } = outcome;
      this.#terminal("run_completed", output, { status: "completed", output }, now);
    } else {
      const { error } = outcome;
      this.#terminal("run_failed", error, { status: "failed", error }, now);
    }
  }

  /** A run is cancelled whose code does not hear of it. */
  endUnheard(reason: string | undefined, now: number): void {
    const record: CancelRecord = { reason, finishing: [], until: now, unheard: true };
    this.append("run_cancel_requested", now, null, null, encode(record, "cancel"));
    this.endCancelled(reason, now);
  }

  /** A run that is being cancelled ends cancelled, whatever its code does last. */
  endCancelled(reason: unknown, now: number): void {
    const text = typeof reason === "string" ? reason : undefined;
    const error = encodeError(new WorkflowRunCancelledError(this.#runId, text));
    this.#terminal("run_cancelled", error, { status: "cancelled", error }, now);
  }

  /** What it counts in a batch. */
  get size(): number {
    return this.#size;
  }

  /**
   * Takes events for a commit, at least one if there are any and no more than `limit` bytes of them. What the row changes goes
   * with the last ones: `whole` tells that nothing is left.
   */
  take(limit: number): OutboxPart {
    if (this.#events.length === 0 && this.#next !== null) {
      const part = { events: this.#next, patch: this.#patch, whole: true, restart: true };
      this.#clear();
      return part;
    }
    let count = 0;
    let size = 0;
    for (const { data } of this.#events) {
      const next = size + sizeInBatch(data);
      if (count > 0 && next > limit) break;
      count++;
      size = next;
    }
    if (count < this.#events.length) {
      this.#size -= size;
      return { events: this.#events.splice(0, count), patch: {}, whole: false, restart: false };
    }
    const next = this.#next;
    const taken = { events: this.#events, patch: this.#patch, whole: next === null, restart: false };
    this.#clear();
    this.#next = next;
    return taken;
  }

  /** The ids of the events that wait here. */
  ids(): ReadonlySet<string | null> {
    return new Set(this.#events.map(({ id }) => id));
  }

  /** Nothing of it will be written, an end of the run neither. */
  discard(): void {
    this.#clear();
    this.#owes = false;
  }

  #add(event: CommitEvent): CommitEvent {
    this.#events.push(event);
    this.#size += sizeInBatch(event.data);
    return event;
  }

  #clear(): void {
    this.#events = [];
    this.#patch = {};
    this.#patched = false;
    this.#size = 0;
    this.#progress = false;
    this.#next = null;
  }

  #terminal(type: string, data: Uint8Array | null, patch: RunPatch, now: number): void {
    const { at } = this.append(type, now, null, null, data);
    this.patch({ ...patch, completedAt: at });
  }
}

/** The reason in a cancel message or event. */
export function reasonOf(data: Uint8Array | null): string | undefined {
  const reason = decode(data);
  return typeof reason === "string" ? reason : undefined;
}
