import { callSite, captureStack, keepPlacesAgain, keepsPlace } from "../call-site.ts";
import type { AsyncFunction } from "../define/registry.ts";
import { seededRandom } from "../determinism/index.ts";
import type { EntityKind } from "../ids.ts";
import { decode, encode, encodeError, storable, whenRead } from "../serialization/index.ts";
import { readingFor } from "../streams/stream-ref.ts";
import { entityKey, idOf, type Origin, ownerOf, runOfEvent, seedAfter } from "./identity.ts";
import type { KindState } from "./kind-state.ts";
import { describeRequest, type Outcome, type Pending, type Request } from "./pending.ts";

/**
 * One workflow function running as a coroutine: what it has asked for, what it waits for, and how it ended. It knows no kind
 * of request, no store, no clock and no worker: the same events give the same requests, live or replayed. The caller delivers
 * one event at a time (`events.ts`) and lets every microtask run before the next.
 */

export interface ExecutionOptions {
  readonly runId: string;
  readonly workflow: string;
  /** How often the run has continued as new. */
  readonly generation: number;
  readonly fn: AsyncFunction;
  /** The encoded argument list. */
  readonly input: Uint8Array | null;
  /** The most bytes that the store takes for one value. */
  readonly largestValue: number;
  /** Whether the store has its values encrypted. */
  readonly encrypted: boolean;
  /** The time of day, from which the length of a sleep is counted: the journal's own time may be ahead of it. */
  readonly clock: () => number;
  /** A fresh random hook token. */
  readonly newToken: () => string;
  /** Waits until the code may begin; `null` if it may. */
  readonly admission: (execution: Execution, args: readonly unknown[]) => Promise<void> | null;
  /** Calls a function in the execution's async context, by which its requests find it. */
  readonly enter: <T>(execution: Execution, fn: () => T) => T;
  readonly sleep: (execution: Execution, ms: number) => Promise<void>;
  /** Called when the code asked for something or ended, also outside a delivery. */
  readonly onActivity: () => void;
  /** Called with the reason of a promise that the code made, that was rejected, and that nobody awaits. */
  readonly onStray: (reason: unknown) => void;
}

/** Where an execution keeps what is of one kind. By name, as a workflow and the worker that executes it may have a copy of the kinds each. */
export interface StateKey<State extends KindState> {
  readonly name: string;
  readonly make: (execution: Execution) => State;
}

export class Execution {
  readonly runId: string;
  readonly workflow: string;
  readonly generation: number;
  readonly largestValue: number;
  readonly encrypted: boolean;
  /** What is not settled, in the order in which it was asked for. */
  readonly pending: Map<string, Pending> = new Map();
  /** Requests since they were last taken, in order. */
  readonly requests: Request[] = [];
  /** Set when the workflow function has ended. */
  outcome: Outcome | null = null;
  /** Set while it is replayed: {@link lastCall} is always a place then, so that a divergence can be found. */
  replaying = false;

  readonly #options: ExecutionOptions;
  readonly #counts: Map<string, number> = new Map();
  readonly #states: Map<string, KindState> = new Map();
  readonly #awaited: (() => boolean)[] = [];
  /** Requests whose answer the store has not given. */
  readonly #unanswered: Set<string> = new Set();
  /** Answers that the code has not heard. */
  readonly #answers: (() => void)[] = [];
  #now = 0;
  #startedAt = 0;
  #random: (() => number) | null = null;
  #seed: string;
  #origin: Origin | null = null;
  /** The event that comes next, in a run that has an origin. */
  #reached = 0;
  #ended = false;
  #asked = 0;
  #lastRequest: Request | null = null;
  /** The stack of the last request, formatted only if somebody asks; `null` if it was not kept. */
  #lastStack: { stack?: string } | null = null;

  constructor(options: ExecutionOptions) {
    this.runId = options.runId;
    this.workflow = options.workflow;
    this.generation = options.generation;
    this.#seed = seedAfter(0, this, null);
    this.#options = options;
    this.largestValue = options.largestValue;
    this.encrypted = options.encrypted;
  }

  /** Time of the last consumed event. */
  now(): number {
    return this.#now;
  }

  /** The run's own random numbers, the same in every replay. */
  random(): number {
    this.#random ??= seededRandom(this.#seed);
    return this.#random();
  }

  get describe(): string {
    return `workflow ${this.workflow}, run ${this.runId}`;
  }

  /** When the workflow function was called, by the journal; in a run that continues as new, that of this generation. */
  get startedAt(): number {
    return this.#startedAt;
  }

  /** Calls a function in the code's context, with what it begins. */
  enter<T>(fn: () => T): T {
    return this.#options.enter(this, fn);
  }

  /** Sleeps durably. */
  sleep(ms: number): Promise<void> {
    return this.#options.sleep(this, ms);
  }

  /** What a kind keeps of this execution, made on first use. */
  state<State extends KindState>({ name, make }: StateKey<State>): State {
    let state = this.#states.get(name) as State | undefined;
    if (state === undefined) {
      state = make(this);
      this.#states.set(name, state);
      if (state.awaited !== undefined) this.#awaited.push(state.awaited);
    }
    return state;
  }

  /** The same, if there is anything yet. */
  known<State extends KindState>({ name }: StateKey<State>): State | undefined {
    return this.#states.get(name) as State | undefined;
  }

  /** The time of day, as the engine knows it; not for the code. */
  get clock(): number {
    return this.#options.clock();
  }

  /** A fresh random hook token. */
  newToken(): string {
    return this.#options.newToken();
  }

  /** The journal begins with what another run's had. */
  inherit(origin: Origin): void {
    this.#origin = origin;
    this.reaches(0);
  }

  /** Whether the journal begins with what another run's had. */
  get goesOn(): boolean {
    return this.#origin !== null;
  }

  /** Whether the journal begins with what that run's had, be it by way of others. */
  goesOnFor(runId: string): boolean {
    for (let origin = this.#origin; origin !== null; origin = origin.origin) {
      if (origin.runId === runId) return true;
    }
    return false;
  }

  /** What the code is told next is this event, or comes after it. */
  reaches(seq: number): void {
    if (this.#origin === null) return;
    this.#reached = seq;
    const seed = seedAfter(seq, this, this.#origin);
    if (seed !== this.#seed) this.#random = null;
    this.#seed = seed;
  }

  /** Reads values of the event that comes next, with the streams that came with them. */
  reading<T>(work: () => T): T {
    return readingFor(runOfEvent(this.#reached, this.runId, this.#origin), null, work);
  }

  /** A value of the event that comes next. */
  decode(data: Uint8Array | null): unknown {
    return this.reading(() => decode(data));
  }

  /** The id of the next request of this kind and name. */
  nextId(kind: EntityKind, name: string): string {
    const key = entityKey(kind, name);
    const count = (this.#counts.get(key) ?? 0) + 1;
    this.#counts.set(key, count);
    return idOf(kind, name, count, this, this.#origin);
  }

  /** The id that the last request of this kind and name has where no other run has asked for the same. */
  ownId(kind: EntityKind, name: string): string {
    return idOf(kind, name, this.#counts.get(entityKey(kind, name)) ?? 0, this, null);
  }

  /** The run that the last request of this kind and name is of: another one, if the journal has it from there. */
  ownerOf(kind: EntityKind, name: string): string {
    const count = this.#counts.get(entityKey(kind, name)) ?? 0;
    return ownerOf(kind, name, count, this, this.#origin).runId;
  }

  /** The code asks for something. Nothing that is asked for after its end is heard: see {@link over}. */
  request(request: Request): void {
    this.#lastRequest = request;
    this.#lastStack = this.replaying || keepsPlace(this.#options.fn) ? captureStack() : null;
    this.#asked++;
    if (request.answered === true) this.#unanswered.add(request.id);
    this.requests.push(request);
    this.#options.onActivity();
  }

  /** The journal has the store's answer to a request; `tell` gives it to the code, with all others. */
  answer(id: string, tell: () => void): void {
    if (this.#unanswered.delete(id)) this.#answers.push(tell);
  }

  /** Takes what was waited for out of {@link pending}, if it is there. */
  settle(id: string | null): Pending | undefined {
    const entry = this.pending.get(id ?? "");
    if (entry !== undefined) this.pending.delete(entry.id);
    return entry;
  }

  /** Rejects everything that the code waits for, but for the pending entries that are spared. */
  interrupt(error: unknown, spares: (entry: Pending) => boolean): void {
    const given = [...this.pending.values()].filter((entry) => !spares(entry));
    for (const { id } of given) this.pending.delete(id);
    for (const { result } of given) result.reject(error);
    for (const state of this.#states.values()) state.fail?.(error);
  }

  // What the engine and the replay call.

  /** Calls the workflow function. Throws if its arguments cannot be decoded here. */
  begin(at: number): void {
    this.#now = at;
    this.#startedAt = at;
    const { enter, fn, input, admission } = this.#options;
    const args = this.enter(() => this.decode(input)) as unknown[];
    enter(this, async () => {
      const admitted = admission(this, args);
      if (admitted !== null) await admitted;
      const value = await fn(...args);
      return await whenRead(() => storable(encode(value, "return value"), "return value", this.largestValue));
    }).then(
      (output) => this.#end({ type: "returned", output }),
      (error: unknown) => this.endAs(error),
    );
  }

  /** The code ends here, and begins again with these arguments in a journal of its own. No `finally` block of it runs. */
  continueAs(args: Uint8Array | null): void {
    this.#end({ type: "continued", args });
  }

  /** The code ends here with an error, whatever it does. No `finally` block of it runs. */
  endAs(error: unknown): void {
    this.#end({ type: "threw", error: encodeError(error) });
  }

  /** The code ends here, cancelled. No `finally` block of it runs. */
  endCancelled(reason: string): void {
    this.#end({ type: "cancelled", reason });
  }

  #end(outcome: Outcome): void {
    if (this.#ended) return;
    this.#ended = true;
    this.outcome = outcome;
    this.#options.onActivity();
  }

  /** An event of this time was told to the code. */
  advance(at: number): void {
    this.#now = Math.max(this.#now, at);
  }

  /** A promise of the code was rejected and nobody awaits it. */
  stray(reason: unknown): void {
    if (!this.#ended) this.#options.onStray(reason);
  }

  /** Ends the coroutine where it stands, without running its `finally` blocks. */
  drop(): void {
    this.#ended = true;
    this.pending.clear();
    this.#states.clear();
  }

  /**
   * Something was asked for whose answer the store has not given. Nothing else may be delivered until it has: what the code
   * does with the answer must come at the same place in a replay.
   */
  get awaitsAnswer(): boolean {
    return this.#unanswered.size > 0;
  }

  /** The store has given an answer that the code has not heard. */
  get hasAnswers(): boolean {
    return this.#answers.length > 0;
  }

  /** Tells the code of all answers at once; true if there were any. */
  deliverAnswers(): boolean {
    if (this.#answers.length === 0) return false;
    const answers = this.#answers.splice(0);
    for (const tell of answers) tell();
    return true;
  }

  /** The code has not ended, asked for nothing, and waits for nothing durable. */
  get stalled(): boolean {
    if (this.#ended || this.pending.size > 0 || this.requests.length > 0) return false;
    if (this.hasAnswers || this.awaitsAnswer) return false;
    return !this.#awaited.some((awaited) => awaited());
  }

  /** How often the code has asked for something: the same number means that it has not gone on. */
  get progress(): number {
    return this.#asked;
  }

  /** Nobody waits for the code any more, or it has ended. */
  get over(): boolean {
    return this.#ended;
  }

  /**
   * Where the code asked for something last, such as `at charge (file:///app/charge.ts:12:20)`, for messages. Where the place was
   * not kept it is what the code asked for, and the function's next calls keep theirs.
   */
  get lastCall(): string {
    if (this.#lastRequest === null) return "";
    if (this.#lastStack !== null) return callSite(this.#lastStack.stack);
    keepPlacesAgain(this.#options.fn);
    return describeRequest(this.#lastRequest);
  }
}
