import { callSite, captureStack } from "../call-site.ts";
import { type Context, currentContext, type WorkflowMetadata } from "../context.ts";
import type { AsyncFunction } from "../define/registry.ts";
import type { StepDefinition } from "../define/step.ts";
import { seededRandom } from "../determinism/index.ts";
import { type Duration, parseDuration } from "../duration.ts";
import { WorkflowRunCancelledError } from "../errors/index.ts";
import { type EntityKind, entityId } from "../ids.ts";
import { decode, decodeError, encode, storable } from "../serialization/index.ts";
import { sharedState } from "../shared-state.ts";
import type { NewEvent } from "../world/index.ts";
import { deferred, rejected } from "./deferred.ts";
import { type HookOptions, WorkflowHook } from "./hook.ts";
import type { CancelRecord, Outcome, Pending, PendingStep, PendingWait, Request } from "./pending.ts";

/**
 * One workflow function running as a coroutine. It turns calls of the code into requests, and events of the journal into
 * results of those calls. It knows no store, no clock and no worker: the same events give the same requests, live or
 * replayed. The caller delivers one event at a time and lets every microtask run before the next.
 */

export interface ExecutionOptions {
  readonly runId: string;
  readonly workflow: string;
  readonly fn: AsyncFunction;
  /** The encoded argument list. */
  readonly input: Uint8Array | null;
  /** The most bytes that the store takes for one value. */
  readonly largestValue: number;
  /** The time of day, from which the length of a sleep is counted: the journal's own time may be ahead of it. */
  readonly clock: () => number;
  /** A fresh random hook token. */
  readonly newToken: () => string;
  /** Called when the code asked for something or ended, also outside a delivery. */
  readonly onActivity: () => void;
  /** Called with the reason of a promise that the code made, that was rejected, and that nobody awaits. */
  readonly onStray: (reason: unknown) => void;
}

export class Execution {
  readonly runId: string;
  readonly workflow: string;
  readonly largestValue: number;
  /** Steps and sleeps that are not settled, in the order in which they were asked for. */
  readonly pending: Map<string, Pending> = new Map();
  /** Requests since they were last taken, in order. */
  readonly requests: Request[] = [];
  /** Tokens that the journal already gave, by hook id; filled before a replay. */
  readonly knownTokens: Map<string, string> = new Map();
  /** Set when the workflow function has ended. */
  outcome: Outcome | null = null;
  /** Set when the run is being cancelled. */
  cancelled: CancelRecord | null = null;
  /** Steps that had begun when the run was cancelled and have not ended since. */
  readonly finishing: Set<string> = new Set();

  readonly #options: ExecutionOptions;
  readonly #context: Context = { kind: "workflow", execution: this };
  readonly #counts: Map<string, number> = new Map();
  readonly #hooks: Map<string, WorkflowHook> = new Map();
  /** Hooks whose registration the journal has told and the code has not heard. */
  #registrations: { readonly hook: WorkflowHook; readonly conflict: { runId: string } | null }[] = [];
  /** Hooks that were asked for and are not in the journal yet. */
  readonly #registering: Map<string, WorkflowHook> = new Map();
  #now = 0;
  #startedAt = 0;
  #random: (() => number) | null = null;
  #ended = false;
  #asked = 0;
  /** The stack of the last request, formatted only if somebody asks. */
  #lastCall: { stack?: string } = {};

  constructor(options: ExecutionOptions) {
    this.runId = options.runId;
    this.workflow = options.workflow;
    this.#options = options;
    this.largestValue = options.largestValue;
  }

  // What the determinism guard reads.

  /** Time of the last consumed event. */
  now(): number {
    return this.#now;
  }

  /** The run's own random numbers, the same in every replay. */
  random(): number {
    const random = this.#random ?? seededRandom(this.runId);
    this.#random = random;
    return random();
  }

  get describe(): string {
    return `workflow ${this.workflow}, run ${this.runId}`;
  }

  get metadata(): WorkflowMetadata {
    return {
      workflowName: this.workflow,
      workflowRunId: this.runId,
      workflowStartedAt: new Date(this.#startedAt),
    };
  }

  // What the code calls.

  callStep(definition: StepDefinition, thisArg: unknown, args: unknown[]): Promise<unknown> {
    if (this.#ended) return never();
    let encoded: Uint8Array | null;
    try {
      encoded = storable(encode(args, "args"), "args", this.largestValue);
    } catch (error) {
      return rejected(error);
    }
    const step: PendingStep = {
      kind: "step",
      id: this.#nextId("step", definition.id),
      definition,
      thisArg,
      args: encoded,
      createdAt: 0,
      attempt: 1,
      failures: 0,
      retryAt: null,
      result: deferred(),
    };
    this.pending.set(step.id, step);
    this.#request({ type: "step_created", id: step.id, name: definition.id, data: encoded });
    return step.result.promise;
  }

  sleep(duration: Duration): Promise<void> {
    if (this.#ended) return never();
    const resumeAt = parseDuration(duration, this.#options.clock());
    const wait: PendingWait = { kind: "wait", id: this.#nextId("wait", ""), resumeAt, result: deferred() };
    this.pending.set(wait.id, wait);
    this.#request({ type: "wait_created", id: wait.id, name: null, data: encode(resumeAt, "sleep") });
    return wait.result.promise;
  }

  createHook<T>(options: HookOptions): WorkflowHook<T> {
    const id = this.#nextId("hook", "");
    const token = options.token ?? this.knownTokens.get(id) ?? this.#options.newToken();
    const metadata = storable(encode(options.metadata, "metadata"), "metadata", this.largestValue);
    const hook = new WorkflowHook<T>(this, id, token);
    if (this.#ended) return hook;
    this.#hooks.set(id, hook as WorkflowHook);
    this.#registering.set(id, hook as WorkflowHook);
    this.#request({ type: "hook_created", id, name: token, data: metadata });
    return hook;
  }

  disposeHook(hook: Pick<WorkflowHook, "id">): void {
    if (this.#ended) return;
    this.#hooks.delete(hook.id);
    this.#request({ type: "hook_disposed", id: hook.id, name: null, data: null });
  }

  // What the engine and the replay call.

  /** Calls the workflow function. Throws if its arguments cannot be decoded here. */
  begin(at: number): void {
    this.#now = at;
    this.#startedAt = at;
    const args = decode(this.#options.input) as unknown[];
    const end = (outcome: Outcome): void => {
      if (this.#ended) return;
      this.#ended = true;
      this.outcome = outcome;
      this.#options.onActivity();
    };
    sharedState()
      .contexts.run(this.#context, async () => this.#options.fn(...args))
      .then(
        (value) => end({ type: "returned", value }),
        (error: unknown) => end({ type: "threw", error }),
      );
  }

  /** A promise of the code was rejected and nobody awaits it. */
  stray(reason: unknown): void {
    if (!this.#ended) this.#options.onStray(reason);
  }

  /** Ends the coroutine where it stands, without running its `finally` blocks. */
  drop(): void {
    this.#ended = true;
    this.pending.clear();
    this.#hooks.clear();
  }

  /** A request of the code is in the journal, as this event. Tells the request what the journal says of it. */
  journalled(event: NewEvent): void {
    if (event.id === null) return;
    if (event.type === "step_created") {
      const step = this.pending.get(event.id);
      if (step?.kind === "step") {
        step.args = event.data;
        step.createdAt = event.at;
      }
    } else if (event.type === "wait_created") {
      const wait = this.pending.get(event.id);
      if (wait?.kind === "wait") wait.resumeAt = decode(event.data) as number;
    } else if (event.type === "hook_created" || event.type === "hook_conflict") {
      const hook = this.#registering.get(event.id);
      if (hook === undefined) return;
      this.#registering.delete(event.id);
      const conflict =
        event.type === "hook_conflict" ? { runId: new TextDecoder().decode(event.data ?? undefined) } : null;
      this.#registrations.push({ hook, conflict });
    }
  }

  /**
   * Hooks were asked for whose registration is not known. Nothing else may be delivered until it is: what the code does
   * with the answer must come at the same place in a replay.
   */
  get awaitsRegistration(): boolean {
    return this.#registering.size > 0;
  }

  /** Tells the code of all registrations at once; true if there were any. */
  deliverRegistrations(): boolean {
    if (this.#registrations.length === 0) return false;
    const registrations = this.#registrations;
    this.#registrations = [];
    for (const { hook, conflict } of registrations) {
      if (conflict !== null) this.#hooks.delete(hook.id);
      hook.registered(conflict);
    }
    return true;
  }

  /** Tells whether a hook takes payloads. */
  hasHook(id: string): boolean {
    return this.#hooks.has(id);
  }

  /** Gives an event to the code. Throws if its data cannot be decoded here; `known` is its data, decoded before. */
  deliver(event: NewEvent, known?: { readonly value: unknown }): void {
    switch (event.type) {
      case "step_completed": {
        const step = this.#settled(event, "step");
        if (step === undefined) break;
        if (this.finishing.delete(step.id)) step.result.reject(this.#cancellation());
        else step.result.resolve(known === undefined ? decode(event.data) : known.value);
        break;
      }
      case "step_failed": {
        const step = this.#settled(event, "step");
        this.finishing.delete(event.id as string);
        if (step !== undefined) step.result.reject(decodeError(event.data as Uint8Array));
        break;
      }
      case "wait_completed": {
        const wait = this.#settled(event, "wait");
        if (wait !== undefined) wait.result.resolve(undefined);
        break;
      }
      case "hook_received":
        this.#hooks.get(event.id as string)?.receive(known === undefined ? decode(event.data) : known.value);
        break;
      case "run_cancel_requested":
        this.#cancel(decode(event.data) as CancelRecord);
        break;
      default:
        throw new TypeError(`A ${event.type} event cannot be delivered to a workflow.`);
    }
    this.#now = Math.max(this.#now, event.at);
  }

  /** The code has not ended, asked for nothing, and waits for nothing durable. */
  get stalled(): boolean {
    if (this.#ended || this.pending.size > 0 || this.requests.length > 0) return false;
    if (this.#registrations.length > 0 || this.#registering.size > 0) return false;
    for (const hook of this.#hooks.values()) if (hook.awaited) return false;
    return true;
  }

  #cancel(record: CancelRecord): void {
    if (this.cancelled !== null) return;
    this.cancelled = record;
    for (const id of record.finishing) this.finishing.add(id);
    const error = this.#cancellation();
    const given = [...this.pending.values()].filter(({ id }) => !this.finishing.has(id));
    for (const { id } of given) this.pending.delete(id);
    for (const { result } of given) result.reject(error);
    for (const hook of this.#hooks.values()) hook.fail(error);
  }

  /** What the code gets for everything that the cancel interrupts. */
  #cancellation(): WorkflowRunCancelledError {
    return new WorkflowRunCancelledError(this.runId, this.cancelled?.reason);
  }

  #settled(event: NewEvent, kind: "step"): PendingStep | undefined;
  #settled(event: NewEvent, kind: "wait"): PendingWait | undefined;
  #settled(event: NewEvent, kind: "step" | "wait"): Pending | undefined {
    const entry = this.pending.get(event.id as string);
    if (entry?.kind !== kind) return undefined;
    this.pending.delete(entry.id);
    return entry;
  }

  #nextId(kind: EntityKind, name: string): string {
    const key = `${kind}\0${name}`;
    const count = (this.#counts.get(key) ?? 0) + 1;
    this.#counts.set(key, count);
    return entityId(kind, this.runId, name, count);
  }

  /** How often the code has asked for something: the same number means that it has not gone on. */
  get progress(): number {
    return this.#asked;
  }

  /** Nobody waits for the code any more, or it has ended. */
  get over(): boolean {
    return this.#ended;
  }

  /** Where the code asked for something last, such as `at charge (file:///app/charge.ts:12:20)`; for messages. */
  get lastCallSite(): string {
    return callSite(this.#lastCall.stack);
  }

  #request(request: Request): void {
    this.#lastCall = captureStack();
    this.#asked++;
    this.requests.push(request);
    this.#options.onActivity();
  }
}

/** The execution of the calling workflow, for the determinism guard: one look-up, nothing else. */
export function guardedExecution(): Execution | undefined {
  const context = currentContext();
  return context?.kind === "workflow" ? context.execution : undefined;
}

function never(): Promise<never> {
  return new Promise(() => {});
}
