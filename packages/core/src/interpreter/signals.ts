import {
  decode,
  decodeError,
  detached,
  encode,
  encodeError,
  named,
  type ReadSignal,
  type SignalData,
  type SignalHost,
  snapshot,
} from "../serialization/index.ts";
import type { JournalEvent } from "../world/index.ts";
import type { Execution } from "./execution.ts";
import type { KindState } from "./kind-state.ts";
import { callSystemStep, SYSTEM_STEP_RESULT } from "./kinds/system-step.ts";

/**
 * The abort signals of a workflow that others know. One that the code made gets its name when it is written for the first time,
 * and belongs to the run; before that it is nobody's business. One of another run is watched there from the moment it is read.
 */

/** The type of the message that aborts a signal; its data is an {@link AbortOrder}. */
export const ABORT_SIGNAL = "abort_signal";

/** The type of the message that asks to be told when a signal is aborted; it is addressed to the signal. */
export const WATCH_SIGNAL = "watch_signal";

/** `data` of an {@link ABORT_SIGNAL} message. */
export interface AbortOrder {
  /** Of the signal. */
  readonly id: string;
  /** The encoded reason. */
  readonly reason: Uint8Array;
}

/** `data` of a {@link WATCH_SIGNAL} message: the system step that waits for the abort. */
export interface SignalWatcher {
  readonly runId: string;
  readonly id: string;
}

/** What a signal is asked for. */
export interface SignalName {
  readonly runId: string;
  readonly id: string;
}

/** What is known of a signal; `reason` is encoded, and `null` while it is not aborted. */
export interface SignalState {
  readonly reason: Uint8Array | null;
}

/** The answer to a watcher of a signal that was aborted. */
export function abortedAnswer(
  { runId, id }: SignalWatcher,
  reason: Uint8Array,
): {
  readonly to: { readonly runId: string; readonly id: string };
  readonly type: string;
  readonly data: Uint8Array | null;
} {
  const state: SignalState = { reason };
  return { to: { runId, id }, type: SYSTEM_STEP_RESULT, data: encode(state, "signal") };
}

interface Shared {
  readonly run: string;
  readonly id: string;
  readonly signal: AbortSignal;
  /** What aborts it, if the code gave it to others or has it from them. */
  controller: AbortController | null;
  /** The code learns of the abort from an event, so it asks for none. */
  told: boolean;
  /** Who waits for the abort in other runs. */
  readonly watchers: SignalWatcher[];
  /** Called when it is aborted: for the attempts that have it. */
  readonly listeners: Set<(reason: unknown) => void>;
}

/** What the next generation has to know of a signal. */
export interface KeptSignal {
  readonly id: string;
  /** The encoded reason, if it was aborted. */
  readonly reason: Uint8Array | null;
  readonly watchers: readonly SignalWatcher[];
}

/** The signals of one execution. */
export class Signals implements SignalHost, KindState {
  readonly #execution: Execution;
  readonly #byName: Map<string, Shared> = new Map();
  readonly #bySignal: Map<AbortSignal, Shared> = new Map();
  #made = 0;

  constructor(execution: Execution) {
    this.#execution = execution;
  }

  /** Others may abort a signal that the code has. */
  readonly awaited: () => boolean = () => {
    for (const { signal, controller } of this.#byName.values()) {
      if (!signal.aborted && controller !== null) return true;
    }
    return false;
  };

  write(signal: AbortSignal, controller: AbortController | null): SignalData {
    let shared = this.#bySignal.get(signal);
    if (shared === undefined) {
      if (signal.aborted) return snapshot(signal);
      const { runId, generation } = this.#execution;
      shared = this.#share(runId, `${generation}.${++this.#made}`, { signal, controller });
    }
    shared.controller ??= controller;
    return named(signal, shared.run, shared.id);
  }

  read(data: SignalData): ReadSignal {
    if (data.id === null) return detached(data);
    const run = this.#home(data.run);
    const known = this.#byName.get(nameOf(run, data.id));
    const shared = known ?? this.#share(run, data.id, detached({ ...data, aborted: false }));
    if (data.aborted) {
      // Of one of its own, the journal is to say so.
      if (!this.#isOwn(shared)) shared.told = true;
      shared.controller?.abort(data.reason);
    } else if (known === undefined && !this.#isOwn(shared)) {
      this.#watch(shared);
    }
    return shared;
  }

  /** Calls a listener, in nobody's turn, when the signal is aborted, or now if it is; not for a signal that the code never had. */
  listen(run: string | null, id: string, listener: (reason: unknown) => void): () => void {
    const shared = this.#byName.get(nameOf(this.#home(run), id));
    if (shared === undefined) return () => {};
    if (shared.signal.aborted) listener(shared.signal.reason);
    else shared.listeners.add(listener);
    return () => shared.listeners.delete(listener);
  }

  /** Whether somebody else may still abort a signal of the run's. */
  isOpen(id: string): boolean {
    return this.#own(id)?.signal.aborted !== true;
  }

  /** A signal of the run's was aborted by somebody else. */
  abort(id: string, reason: Uint8Array): void {
    const shared = this.#own(id) ?? this.#shareOwn(id);
    this.#tell(shared, decodeError(reason));
  }

  /** Another run waits for the abort of a signal. */
  watched(id: string, watcher: SignalWatcher): void {
    const shared = this.#own(id) ?? this.#shareOwn(id);
    if (shared.signal.aborted) this.#answer(watcher, shared.signal.reason);
    else shared.watchers.push(watcher);
  }

  /** What the next generation has to know. */
  kept(): readonly KeptSignal[] {
    return [...this.#byName.values()]
      .filter((shared) => this.#isOwn(shared) && (shared.signal.aborted || shared.watchers.length > 0))
      .map(({ id, signal, watchers }) => ({
        id,
        reason: signal.aborted ? encodeError(signal.reason) : null,
        watchers,
      }));
  }

  /** What the generation before knew of a signal. */
  keep({ id, reason, watchers }: KeptSignal): void {
    const shared = this.#shareOwn(id);
    shared.watchers.push(...watchers);
    if (reason !== null) this.#tell(shared, decodeError(reason));
  }

  #share(run: string, id: string, { signal, controller }: ReadSignal): Shared {
    const shared: Shared = {
      run,
      id,
      signal,
      controller,
      told: false,
      watchers: [],
      listeners: new Set(),
    };
    this.#byName.set(nameOf(run, id), shared);
    this.#bySignal.set(signal, shared);
    signal.addEventListener("abort", () => this.#aborted(shared), { once: true });
    return shared;
  }

  #shareOwn(id: string): Shared {
    return this.#share(this.#execution.runId, id, detached({ run: null, id, aborted: false }));
  }

  #own(id: string): Shared | undefined {
    return this.#byName.get(nameOf(this.#execution.runId, id));
  }

  #tell(shared: Shared, reason: unknown): void {
    if (shared.signal.aborted) return;
    shared.told = true;
    shared.controller?.abort(reason);
  }

  #aborted({ run, id, signal, told, watchers, listeners }: Shared): void {
    const execution = this.#execution;
    const reason: unknown = signal.reason;
    if (!execution.over) {
      if (!told) {
        const data = encodeError(reason);
        if (run === execution.runId) execution.request({ type: "signal_aborted", id, name: null, data });
        else
          this.#send({ to: { runId: run }, type: ABORT_SIGNAL, data: encode({ id, reason: data }, "abort") });
      }
      for (const watcher of watchers) this.#answer(watcher, reason);
    }
    for (const listener of listeners) listener(reason);
    listeners.clear();
  }

  #answer(watcher: SignalWatcher, reason: unknown): void {
    this.#send(abortedAnswer(watcher, encodeError(reason)));
  }

  #send(message: object): void {
    void callSystemStep(this.#execution, "send_message", () => message).catch(() => {});
  }

  #watch(shared: Shared): void {
    const name: SignalName = { runId: shared.run, id: shared.id };
    callSystemStep<SignalState>(this.#execution, "watch_signal", () => name).then(
      ({ reason }) => {
        if (reason !== null) this.#tell(shared, decodeError(reason));
      },
      // The run is being cancelled, or is told of it no more.
      () => {},
    );
  }

  #isOwn({ run }: Pick<Shared, "run">): boolean {
    return run === this.#execution.runId;
  }

  /** What another run's journal says of its own signals, a fork of it says of itself. */
  #home(run: string | null): string {
    return run === null || this.#execution.goesOnFor(run) ? this.#execution.runId : run;
  }
}

function nameOf(run: string, id: string): string {
  return `${run}/${id}`;
}

/** The encoded reason with which these events abort a signal, or `null`. */
export function reasonIn(events: readonly JournalEvent[], id: string): Uint8Array | null {
  for (const event of events) {
    if (event.id !== id) continue;
    const { type, data } = event;
    if (type === "signal_aborted" || type === "abort_received") return data;
    if (type !== "signal_kept") continue;
    const { reason } = decode(data) as KeptSignal;
    if (reason !== null) return reason;
  }
  return null;
}
