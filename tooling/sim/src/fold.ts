import type { JournalEvent, RunStatus } from "@perdure/core/world";
import { LawBroken } from "./failure.ts";

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

/** What a `start_run` asks for. */
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
  /** Steps that have completed or failed. */
  readonly closedSteps: Set<string> = new Set();
  /** Sleeps that are not over, with their wake-up times. */
  readonly openWaits: Map<string, number> = new Map();
  /** Live hooks with their tokens. */
  readonly hooks: Map<string, string> = new Map();
  /** The tokens of all hooks that it ever had. */
  readonly tokens: Map<string, string> = new Map();
  /** The payloads of each hook, in order. */
  readonly payloads: Map<string, (Uint8Array | null)[]> = new Map();
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
  /** What was open when the run was cancelled: the cancel has ended it, unless the code shielded it. */
  readonly spared: Set<string> = new Set();
  readonly #ids: Set<string> = new Set();
  #length = 0;
  /** It has said what it leaves: only its end can follow. */
  #ending = false;
  #lastAt = 0;

  readonly #decode: (data: Uint8Array | null) => unknown;

  constructor(runId: string, decode: (data: Uint8Array | null) => unknown) {
    this.runId = runId;
    this.#decode = decode;
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
    for (const due of [...this.openWaits.values(), ...this.openSteps.values()]) {
      const time = due ?? 0;
      if (at === null || time < at) at = time;
    }
    return at;
  }

  /** The runs that it asked to have started. */
  get children(): readonly ChildCall[] {
    const calls = [...this.asked.values()].filter(({ name }) => name === "start_run");
    return calls.map(childOf);
  }

  apply(event: JournalEvent): void {
    const { type, seq, at } = event;
    this.#length++;
    if (seq !== this.#length) this.#broken("journal order", `event ${this.#length} has seq ${seq}`);
    // What comes before the execution bears the time of whoever started the run, whose clock may be wrong.
    if (at < this.#lastAt && this.startedAt !== null) {
      this.#broken("journal order", `event ${seq} is older than the one before it`);
    }
    this.#lastAt = at;
    if ((seq === 1) !== (type === "run_created")) this.#refuse(event, "run_created comes first and once");
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
        if (this.status !== "pending") this.#refuse(event, "it has begun before");
        this.status = "running";
        this.startedAt = event.at;
        return;
      case "step_created":
        this.#new(event);
        this.openSteps.set(id, null);
        this.retries.set(id, 0);
        return;
      case "step_retrying":
        this.#retrying(event);
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
        return;
      case "wait_completed": {
        if (this.spared.delete(id)) return;
        const due = this.openWaits.get(id);
        if (due === undefined) this.#refuse(event, "the sleep is not under way");
        else if (event.at < due) this.#refuse(event, `the sleep ends at ${due}`);
        this.openWaits.delete(id);
        return;
      }
      case "hook_created":
        this.#new(event);
        this.hooks.set(id, event.name ?? "");
        this.tokens.set(id, event.name ?? "");
        this.payloads.set(id, []);
        return;
      case "hook_conflict":
        this.#new(event);
        return;
      case "hook_received":
        if (!this.tokens.has(id)) this.#refuse(event, "the hook never had a token");
        this.payloads.get(id)?.push(event.data);
        return;
      case "hook_disposed":
        if (!this.#ids.has(id)) this.#refuse(event, "there is no such hook");
        this.hooks.delete(id);
        return;
      case "system_step_created": {
        this.#new(event);
        const call = { id, name: event.name ?? "", input: this.#decode(event.data) };
        this.asked.set(id, call);
        this.openSystem.set(id, call);
        return;
      }
      case "system_step_completed":
      case "system_step_failed":
        if (!this.openSystem.delete(id) && !this.spared.delete(id))
          this.#refuse(event, "the system step is not under way");
        this.closedSystem.add(id);
        return;
      case "attributes_given":
        if (this.status !== "pending") this.#refuse(event, "the run has begun");
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
        if (this.cancelRequested) this.#refuse(event, "the run was cancelled before");
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
    if (this.status === "pending" && status !== "cancelled") this.#refuse(event, "the run has not begun");
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
    if (this.status !== "running") this.#refuse(event, "the run has not begun");
    if (this.#ids.has(id)) this.#refuse(event, "the id was used before");
    this.#ids.add(id);
  }

  #refuse(event: JournalEvent, why: string): never {
    this.#broken("journal grammar", `event ${event.seq}, ${event.type} ${event.id ?? ""}: ${why}`);
  }

  #broken(law: "journal order" | "journal grammar" | "attempts are counted", message: string): never {
    throw new LawBroken(law, message, this.runId);
  }
}
