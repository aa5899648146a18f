import { decode } from "@perdure/core/testing";
import type { JournalEvent, RunStatus } from "@perdure/core/world";
import { type Law, LawBroken } from "./failure.ts";

/**
 * What a journal says of its run, read event by event without the engine: what is the same for all events. Each kind reads its own
 * and keeps what they say (`kinds/`). Refuses events that cannot follow what came before.
 */
export class RunFold {
  readonly runId: string;
  status: RunStatus = "pending";
  startedAt: number | null = null;
  completedAt: number | null = null;
  output: Uint8Array | null = null;
  error: Uint8Array | null = null;
  cancelRequested = false;
  /** Another run had the place of its `concurrency`, and it ends cancelled without that it has begun. */
  skipped = false;
  /** What was open when the run was cancelled: the cancel has ended it, unless the code shielded it. */
  readonly spared: Set<string> = new Set();
  /** What ends as it ended in the run for which this one goes on, and at the time of then. */
  readonly recorded: Set<string> = new Set();
  /** The run whose journal it has up to some event. */
  readonly forkOf: string | null;
  /** Its code has begun in this generation. */
  begun = false;
  /** It has said what it leaves: only its end can follow. */
  ending = false;
  readonly #ids: Set<string> = new Set();
  #length = 0;
  #firstSeq = 1;
  #generation = 0;
  /** Its journal begins with what another run's had. */
  #inheriting = false;
  #lastAt = 0;

  /** @param first its first events */
  constructor(runId: string, first: readonly Pick<JournalEvent, "type" | "id">[]) {
    this.runId = runId;
    this.forkOf = first[1]?.type === "run_forked" ? first[1].id : null;
    this.#inheriting = this.forkOf !== null;
  }

  /** The number of events of this generation that were read. */
  get length(): number {
    return this.#length;
  }

  get generation(): number {
    return this.#generation;
  }

  get terminal(): boolean {
    return this.status === "completed" || this.status === "failed" || this.status === "cancelled";
  }

  /** What is read is of the run for which this one goes on. */
  get inheriting(): boolean {
    return this.#inheriting;
  }

  /** What comes from now on is its own. */
  inheritedAll(): void {
    this.#inheriting = false;
  }

  /** The run continues as new, with a journal from `firstSeq` on. */
  beginAnew(firstSeq: number): void {
    if (this.cancelRequested) this.broken("cancelled runs end", "it was cancelled and continues as new");
    this.#firstSeq = firstSeq;
    this.#length = 0;
    this.#generation++;
    this.begun = false;
    this.spared.clear();
  }

  /** The event has its place in the journal. */
  follow(event: JournalEvent): void {
    const { type, seq, at } = event;
    const expected = this.#firstSeq + this.#length++;
    if (seq !== expected) this.broken("journal order", `event ${expected} has seq ${seq}`);
    // What comes before the execution bears the time of whoever started the run, whose clock may be wrong.
    const isOfThen = this.forkOf !== null && (this.recorded.has(event.id ?? "") || type.startsWith("wait_"));
    if (at < this.#lastAt && this.begun && !this.#inheriting && !isOfThen) {
      this.broken("journal order", `event ${seq} is older than the one before it`);
    }
    this.#lastAt = at;
    if ((this.#length === 1) !== (type === "run_created"))
      this.refuse(event, "run_created comes first and once");
    if (this.terminal) this.refuse(event, `the run is ${this.status}`);
    if (this.ending && !type.startsWith("run_")) this.refuse(event, "the code has ended");
  }

  /** The event gives code an id that nothing else has. */
  give(event: JournalEvent): void {
    const id = event.id ?? "";
    if (!this.begun) this.refuse(event, "the run has not begun");
    if (this.#ids.has(id)) this.broken("ids are given once", `${event.type} ${id} again`);
    this.#ids.add(id);
  }

  isGiven(id: string): boolean {
    return this.#ids.has(id);
  }

  /** The event says what the run begins with. */
  beforeBegin(event: JournalEvent): void {
    if (this.begun) this.refuse(event, "the run has begun");
  }

  /** The event is of the run for which this one goes on. */
  ofAnother(event: JournalEvent): void {
    if (!this.#inheriting) this.refuse(event, "it is of no other run");
  }

  refuse(event: JournalEvent, why: string): never {
    this.broken("journal grammar", `event ${event.seq}, ${event.type} ${event.id ?? ""}: ${why}`);
  }

  broken(law: Law, message: string): never {
    throw new LawBroken(law, message, this.runId);
  }
}

/** The value in an event or a message; of a run's own making, so its form is known. */
export function valueIn<Value>({ data }: { readonly data: Uint8Array | null }): Value {
  return decode(data) as Value;
}

export function sameBytes(a: Uint8Array | null, b: Uint8Array | null): boolean {
  return a === b || (a !== null && b !== null && Buffer.compare(a, b) === 0);
}
