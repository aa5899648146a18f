import type { JournalEvent, RunStatus } from "@perdure/core/world";
import { type Law, LawBroken } from "./failure.ts";

/** A system step as the journal has it. */
export interface SystemCall {
  readonly id: string;
  readonly name: string;
  /** Decoded. */
  readonly input: unknown;
}

/** A run that `start_run` is asked for, as far as laws are about it. */
export interface ChildCall {
  readonly runId: string;
  /** `undefined`: it is cancelled if its parent ends cancelled. */
  readonly onParentEnd: string | undefined;
  readonly key: string | undefined;
}

/** System steps that are done although their caller does not wait for them any more. */
export const OWED: ReadonlySet<string> = new Set(["start_run", "run_once", "send_message", "release_lock"]);

/** What a `start_run` or a `run_once` asks for. */
export function childOf({ input }: SystemCall): ChildCall {
  const { run } = input as {
    readonly run: {
      readonly runId: string;
      readonly attributes: Readonly<Record<string, string>>;
      readonly key: { readonly key: string } | null;
    };
  };
  return { runId: run.runId, onParentEnd: run.attributes.$onParentEnd, key: run.key?.key };
}

/**
 * What a journal says of its run, read event by event without the engine. Refuses events that cannot follow what came
 * before.
 */
export class RunFold {
  readonly runId: string;
  status: RunStatus = "pending";
  startedAt: number | null = null;
  completedAt: number | null = null;
  output: Uint8Array | null = null;
  error: Uint8Array | null = null;
  cancelRequested = false;
  /** Attempts that are over without success, by the step's id. */
  readonly retries: Map<string, number> = new Map();
  /** Steps that have neither completed nor failed; when their next attempt is due, or `null` for at once. */
  readonly openSteps: Map<string, number | null> = new Map();
  /** Those whose results another run had: their bodies are not called. */
  readonly recorded: Set<string> = new Set();
  /** Those that it may ask for under the ids that they had in another run. */
  readonly again: Set<string> = new Set();
  /** Steps that have completed or failed. */
  readonly closedSteps: Set<string> = new Set();
  /** Sleeps that are not over, with their wake-up times. */
  readonly openWaits: Map<string, number> = new Map();
  /** Live hooks with their tokens. */
  readonly hooks: Map<string, string> = new Map();
  /** The tokens of all hooks that it ever had. */
  readonly tokens: Map<string, string> = new Map();
  /** How many payloads each hook got, over all generations. */
  readonly received: Map<string, number> = new Map();
  /** How many of a hook's last payloads the code has not taken, as it said at its end. */
  left: Readonly<Record<string, number>> = {};
  /** The signals that were aborted. */
  readonly aborted: Set<string> = new Set();
  /** All system steps that it asked for, by id. */
  readonly asked: Map<string, SystemCall> = new Map();
  /** Those whose result it waits for. */
  readonly openSystem: Map<string, SystemCall> = new Map();
  /** Those whose result the journal has. */
  readonly closedSystem: Set<string> = new Set();
  /** The locks that it asked for and has not given back: keys by id. */
  readonly locks: Map<string, string> = new Map();
  /** Sleeps that limit how long a lock is waited for, by the id of that. */
  readonly #limits: Map<string, string> = new Map();
  /** What was open when the run was cancelled: the cancel has ended it, unless the code shielded it. */
  readonly spared: Set<string> = new Set();
  /** Steps that no cancel interrupts. */
  readonly shielded: Set<string> = new Set();
  /** The state that was set last, as the row keeps it; `undefined`: another run's generation before this one has set it. */
  state: Uint8Array | null | undefined = null;
  attributes: Readonly<Record<string, string>> = {};
  /** The run whose journal it has up to some event. */
  readonly forkOf: string | null;
  /** What it has asked for itself, and not that run. */
  readonly own: Set<string> = new Set();
  /** How many payloads of each hook it has from that run. */
  readonly inherited: Map<string, number> = new Map();
  /** Sleeps that somebody ends early. */
  readonly stopped: Set<string> = new Set();
  readonly #ids: Set<string> = new Set();
  #length = 0;
  #firstSeq = 1;
  #generation = 0;
  #begun = false;
  /** The run before it had locks that it has not. */
  locksLost = false;
  /** Its journal begins with what another run's had. */
  #inheriting = false;
  /** The hooks of the generation before that were live, by token. */
  #kept: ReadonlyMap<string, string> = new Map();
  /** It has said what it leaves: only its end can follow. */
  #ending = false;
  #lastAt = 0;

  readonly #decode: (data: Uint8Array | null) => unknown;

  /** @param first its first events */
  constructor(
    runId: string,
    decode: (data: Uint8Array | null) => unknown,
    first: readonly Pick<JournalEvent, "type" | "id">[],
  ) {
    this.runId = runId;
    this.#decode = decode;
    this.forkOf = first[1]?.type === "run_forked" ? first[1].id : null;
    this.#inheriting = this.forkOf !== null;
  }

  /** What comes from now on is its own. */
  inheritedAll(): void {
    if (!this.#inheriting) return;
    this.#inheriting = false;
    for (const [id, count] of this.received) this.inherited.set(id, count);
  }

  /** The run continues as new, with a journal from `firstSeq` on. */
  beginAnew(firstSeq: number): void {
    if (this.cancelRequested) this.#broken("cancelled runs end", "it was cancelled and continues as new");
    this.#firstSeq = firstSeq;
    this.#length = 0;
    this.#generation++;
    this.#begun = false;
    this.#kept = new Map([...this.hooks].map(([id, token]) => [token, id]));
    this.attributes = {};
    // They are done, and nobody is told.
    for (const id of [...this.openSystem.keys(), ...this.spared]) this.closedSystem.add(id);
    this.spared.clear();
    for (const open of [this.openSteps, this.openWaits, this.openSystem, this.hooks]) open.clear();
  }

  /** The number of events that were read. */
  get length(): number {
    return this.#length;
  }

  get terminal(): boolean {
    return this.status === "completed" || this.status === "failed" || this.status === "cancelled";
  }

  /** The earliest time at which the run has something to do by itself; `null` when it waits for messages only. */
  get wakeAt(): number | null {
    let at: number | null = null;
    const steps = this.#regainsLocks ? [] : this.openSteps.values();
    for (const due of [...this.openWaits.values(), ...steps]) {
      const time = due ?? 0;
      if (at === null || time < at) at = time;
    }
    return at;
  }

  /** It waits for locks that the run before it had: until it has them again it begins no step. */
  get #regainsLocks(): boolean {
    const isRegained = ({ id, name }: SystemCall): boolean => name === "acquire_lock" && this.own.has(id);
    return this.locksLost && [...this.openSystem.values()].some(isRegained);
  }

  /** The runs that it asked to have started itself. */
  get children(): readonly ChildCall[] {
    const calls = [...this.asked.values()].filter(({ id, name }) => name === "start_run" && this.own.has(id));
    return calls.map(childOf);
  }

  apply(event: JournalEvent): void {
    const { type, seq, at } = event;
    const expected = this.#firstSeq + this.#length++;
    if (seq !== expected) this.#broken("journal order", `event ${expected} has seq ${seq}`);
    // What comes before the execution bears the time of whoever started the run, whose clock may be wrong; what a retry is told that its
    // run was told, the time of then.
    const isOfThen = this.forkOf !== null && (this.recorded.has(event.id ?? "") || type.startsWith("wait_"));
    if (at < this.#lastAt && this.#begun && !this.#inheriting && !isOfThen) {
      this.#broken("journal order", `event ${seq} is older than the one before it`);
    }
    this.#lastAt = at;
    if ((this.#length === 1) !== (type === "run_created"))
      this.#refuse(event, "run_created comes first and once");
    if (this.terminal) this.#refuse(event, `the run is ${this.status}`);
    if (this.#ending && !type.startsWith("run_")) this.#refuse(event, "the code has ended");
    this.#change(event);
  }

  #change(event: JournalEvent): void {
    const id = event.id ?? "";
    switch (event.type) {
      case "run_created":
        return;
      case "run_started":
        if (this.#begun) this.#refuse(event, "it has begun before");
        if (this.#kept.size > 0 && this.hooks.size < this.#kept.size)
          this.#refuse(event, "a hook is not kept");
        this.#begun = true;
        this.status = "running";
        this.startedAt ??= event.at;
        return;
      case "run_forked":
        if (this.#length !== 2) this.#refuse(event, "it comes second");
        return;
      case "step_created":
        this.#new(event);
        this.openSteps.set(id, null);
        this.retries.set(id, 0);
        if ((this.#decode(event.data) as readonly [{ shielded?: boolean }])[0]?.shielded === true)
          this.shielded.add(id);
        return;
      case "step_retrying":
        this.#retrying(event);
        return;
      case "step_again":
      case "system_step_again":
        if (!this.#inheriting) this.#refuse(event, "it is of no other run");
        this.again.add(id);
        return;
      case "step_recorded":
      case "system_step_recorded":
        if (!this.#inheriting) this.#refuse(event, "it is of no other run");
        this.recorded.add(id);
        return;
      case "wait_recorded":
      case "run_again":
        if (!this.#inheriting) this.#refuse(event, "it is of no other run");
        return;
      case "hook_again":
        if (!this.#inheriting) this.#refuse(event, "it is of no other run");
        this.tokens.set(id, event.name ?? "");
        return;
      case "step_completed":
      case "step_failed":
        if (!this.openSteps.delete(id) && !this.spared.delete(id))
          this.#refuse(event, "the step is not under way");
        this.closedSteps.add(id);
        return;
      case "wait_created":
        this.#new(event);
        this.openWaits.set(id, this.#decode(event.data) as number);
        if (event.name !== null) this.#limits.set(event.name, id);
        return;
      case "wait_completed": {
        if (this.spared.delete(id)) return;
        const due = this.openWaits.get(id);
        if (due === undefined) this.#refuse(event, "the sleep is not under way");
        else if (event.at < due && !this.stopped.has(id) && !this.#inheriting)
          this.#refuse(event, `the sleep ends at ${due}`);
        this.openWaits.delete(id);
        return;
      }
      case "hook_created":
        this.#new(event);
        this.hooks.set(id, event.name ?? "");
        this.tokens.set(id, event.name ?? "");
        this.received.set(id, 0);
        return;
      case "hook_held":
        this.#hold(event);
        return;
      case "hook_left":
        if (this.#begun || (!this.#inheriting && !this.tokens.has(id)))
          this.#refuse(event, "the run never had the hook");
        this.tokens.set(id, event.name ?? "");
        return;
      case "hook_adopted":
        if (!this.hooks.has(id)) this.#refuse(event, "the run does not have the hook");
        return;
      case "payload_kept":
        if (!this.tokens.has(id) || this.#begun) this.#refuse(event, "the run never had the hook");
        return;
      case "hook_conflict":
        this.#new(event);
        return;
      case "hook_received":
        if (!this.tokens.has(id)) this.#refuse(event, "the hook never had a token");
        this.received.set(id, (this.received.get(id) ?? 0) + 1);
        return;
      case "hook_disposed":
        if (!this.#ids.has(id) && !this.tokens.has(id)) this.#refuse(event, "there is no such hook");
        this.hooks.delete(id);
        return;
      case "system_step_created": {
        this.#new(event);
        const call = { id, name: event.name ?? "", input: this.#decode(event.data) };
        this.asked.set(id, call);
        if (!this.#inheriting) this.own.add(id);
        this.openSystem.set(id, call);
        this.#locks(call);
        return;
      }
      case "lock_held":
        if (this.#begun) this.#refuse(event, "the run has begun");
        this.locks.set(id, event.name ?? "");
        this.closedSystem.add(id);
        return;
      case "locks_lost":
        if (this.forkOf === null) this.#refuse(event, "the run goes on for no other");
        this.locksLost = true;
        for (const lockId of this.locks.keys()) if (this.closedSystem.has(lockId)) this.locks.delete(lockId);
        return;
      case "system_step_completed":
      case "system_step_failed":
        if (!this.openSystem.delete(id) && !this.spared.delete(id))
          this.#refuse(event, "the system step is not under way");
        this.closedSystem.add(id);
        this.#lift(id);
        if (this.locks.has(id) && isLockedOut(this.#decode(event.data))) this.locks.delete(id);
        return;
      case "headers_given":
        return;
      case "attributes_given":
        if (this.#begun) this.#refuse(event, "the run has begun");
        this.attributes = this.#decode(event.data) as Record<string, string>;
        return;
      case "attributes_set":
        this.#new(event);
        this.#changeAttributes(event);
        return;
      case "attributes_changed":
        this.#changeAttributes(event);
        return;
      case "state_set":
        this.#new(event);
        this.state = event.data;
        return;
      case "state_kept":
        if (this.#begun) this.#refuse(event, "the run has begun");
        if (this.#inheriting) this.state = undefined;
        else if (this.state !== undefined && versionOf(this.#decode(this.state)) !== this.#decode(event.data))
          this.#refuse(event, "it is another state");
        return;
      case "key_released":
        return;
      case "children_tied":
        if (this.#begun) this.#refuse(event, "the run has begun");
        return;
      case "signal_aborted":
      case "abort_received":
        if (this.aborted.has(id)) this.#refuse(event, "the signal was aborted before");
        this.aborted.add(id);
        return;
      case "signal_watched":
        return;
      case "payloads_left":
        this.left = this.#decode(event.data) as Record<string, number>;
        this.#ending = true;
        return;
      case "run_cancel_requested":
        // Who ends a run without its code does not look at what it was asked before.
        if (this.cancelRequested) this.#ending = true;
        this.cancelRequested = true;
        for (const id of [...this.openWaits.keys(), ...this.openSystem.keys()]) this.spared.add(id);
        this.#giveUpSteps(event);
        this.openWaits.clear();
        this.openSystem.clear();
        return;
      case "run_completed":
      case "run_failed":
      case "run_cancelled":
        this.#end(event);
        return;
      default:
        this.#refuse(event, "there is no such event");
    }
  }

  /** A lock is asked for, or given back, and then the code waits for it no more. */
  #locks({ id, name, input }: SystemCall): void {
    if (name === "acquire_lock") this.locks.set(id, (input as { readonly key: string }).key);
    if (name !== "release_lock") return;
    const { lockId } = input as { readonly lockId: string };
    this.locks.delete(lockId);
    this.openSystem.delete(lockId);
    this.spared.delete(lockId);
    this.#lift(lockId);
  }

  #lift(lockId: string): void {
    const limit = this.#limits.get(lockId);
    if (limit === undefined) return;
    this.openWaits.delete(limit);
    this.spared.delete(limit);
  }

  #changeAttributes(event: JournalEvent): void {
    const changed = {
      ...this.attributes,
      ...(this.#decode(event.data) as Record<string, string | undefined>),
    };
    const kept = Object.entries(changed).filter((entry): entry is [string, string] => entry[1] !== undefined);
    this.attributes = Object.fromEntries(kept);
  }

  /** A hook that the run has from its start, or from the generation before. */
  #hold(event: JournalEvent): void {
    const [id, token] = [event.id ?? "", event.name ?? ""];
    if (this.#begun) this.#refuse(event, "the run has begun");
    if (this.#generation > 0 && this.#kept.get(token) !== id) this.#refuse(event, "it was not live before");
    this.hooks.set(id, token);
    this.tokens.set(id, token);
    if (!this.received.has(id)) this.received.set(id, 0);
  }

  /** A cancel lets steps end that have begun. */
  #giveUpSteps(event: JournalEvent): void {
    const { finishing } = this.#decode(event.data) as { readonly finishing: readonly string[] };
    for (const id of finishing) {
      if (!this.openSteps.has(id)) this.#refuse(event, `step ${id} is not under way`);
    }
    for (const id of [...this.openSteps.keys()]) {
      if (finishing.includes(id)) continue;
      this.openSteps.delete(id);
      this.spared.add(id);
    }
  }

  #retrying(event: JournalEvent): void {
    const id = event.id ?? "";
    const retries = this.retries.get(id);
    const isOpen = this.openSteps.has(id);
    if (retries === undefined || !(isOpen || this.spared.has(id)))
      this.#refuse(event, "the step is not under way");
    const { attempt, retryAt } = this.#decode(event.data) as { attempt: number; retryAt: number };
    if (attempt !== (retries ?? 0) + 1) {
      this.#broken(
        "attempts are counted",
        `event ${event.seq} ends attempt ${attempt} after ${retries} others`,
      );
    }
    this.retries.set(id, attempt);
    if (isOpen) this.openSteps.set(id, retryAt);
  }

  #end(event: JournalEvent): void {
    const status = event.type.slice("run_".length) as "completed" | "failed" | "cancelled";
    if (!this.#begun && status !== "cancelled") this.#refuse(event, "the run has not begun");
    if (this.cancelRequested !== (status === "cancelled"))
      this.#refuse(event, "a cancelled run ends cancelled");
    this.status = status;
    this.completedAt = event.at;
    if (status === "completed") this.output = event.data;
    else this.error = event.data;
    this.hooks.clear();
    this.openSystem.clear();
    this.spared.clear();
  }

  #new(event: JournalEvent): void {
    const id = event.id ?? "";
    if (!this.#begun) this.#refuse(event, "the run has not begun");
    if (this.#ids.has(id)) this.#broken("ids are given once", `${event.type} ${id} again`);
    this.#ids.add(id);
  }

  #refuse(event: JournalEvent, why: string): never {
    this.#broken("journal grammar", `event ${event.seq}, ${event.type} ${event.id ?? ""}: ${why}`);
  }

  #broken(law: Law, message: string): never {
    throw new LawBroken(law, message, this.runId);
  }
}

function versionOf(state: unknown): number | undefined {
  return (state as { readonly version: number } | null)?.version;
}

function isLockedOut(result: unknown): boolean {
  return typeof result === "object" && result !== null && "holder" in result;
}
