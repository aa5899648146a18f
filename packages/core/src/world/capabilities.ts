/** What a World can do beyond the laws, as data. Everything defaults to the weaker answer; the engine fails closed. */
export interface WorldCapabilities {
  /**
   * What an acknowledged commit survives: `nothing` (memory), `process` (the end of any process of ours by any
   * signal), `machine` (power loss). Shown to users; the engine does not act on it.
   */
  readonly durability: "nothing" | "process" | "machine";
  /**
   * Hints reach subscribers in other processes. Without it a worker finds the work of other processes by its
   * idle poll only (at most one cheap query a second).
   */
  readonly notifications: boolean;
  /**
   * The store belongs to the program (a file beside it, its memory), so a program that starts runs is expected to
   * execute them: it gets a worker in process unless it says otherwise. Default false.
   */
  readonly embedded?: boolean;
  /**
   * Leases and due times are judged by a clock of the store's own, which `ClaimResult.now` tells; workers set theirs by
   * it. Default false: the World goes by the `now` of its callers, and workers by their machines' clocks.
   */
  readonly ownClock?: boolean;
  /**
   * The World has the verbs of `Streams`. Default false: they reject, and what needs a stream says that this World has none.
   */
  readonly streams?: boolean;
  /**
   * `World.joining` takes a transaction of the user's. Default false: it rejects, and what belongs to a transaction is started or
   * sent after its commit.
   */
  readonly joining?: boolean;
  /**
   * How many commit batches may be under way at once. 1: the store has one writer, so a second batch would only
   * wait. The engine never has two commits of one run under way.
   */
  readonly commitsInFlight: number;
  /**
   * The most bytes that one value may have (an input, an argument list, a result, a payload); known at the latest when
   * the World is open. The engine refuses a larger one where it is made, with an error that the workflow or the caller
   * can handle; a commit that the store will never take would be tried again and again. Default: no limit.
   */
  readonly largestValue?: number;
  /**
   * How many bytes one call may carry (`createRuns`, `commit`, `deliver`, `appendChunks`): the engine cuts batches by it, and the commits of
   * one run, where each event counts as its values and {@link EVENT_OVERHEAD} bytes. A single start, message or event may be
   * larger: it then goes alone. Default: 16 MiB.
   */
  readonly largestBatch?: number;
  /**
   * How a second instance of this World is opened in another thread, so that leases are renewed while a step
   * blocks the event loop; a function, so that neither its code nor a URL with a password is at hand where capabilities are
   * printed. `null`: leases are renewed from the event loop, and a step that blocks it for longer
   * than the lease may be executed twice.
   */
  readonly leaseKeeper: (() => Promise<LeaseKeeper>) | null;
}

/** What an event, message or start counts beside its values; see {@link WorldCapabilities.largestBatch}. */
export const EVENT_OVERHEAD = 256;

/**
 * A module whose `openWorld(options)` gives a World on the same store, or a promise of one. The thread calls its `open()`, and
 * then `renew` only.
 */
export interface LeaseKeeper {
  /**
   * URL of an ES module: `file:`, or `data:` with all that it needs, which works in every bundle and from every directory. It
   * is loaded in a thread without the program's flags and preloads.
   */
  readonly module: string;
  /** Structured-cloneable argument. */
  readonly options: unknown;
}

/** What happened, as far as a hint tells. A hint can be lost, late, doubled or wrong. */
export type Hint =
  /** A run may be due. */
  | { readonly type: "due" }
  /** A run has mail. */
  | { readonly type: "mail"; readonly runId: string }
  /** A run ended. */
  | { readonly type: "finished"; readonly runId: string }
  /** A run shows another state. */
  | { readonly type: "state"; readonly runId: string }
  /** A stream has more chunks, or was closed. */
  | { readonly type: "stream"; readonly runId: string; readonly name: string }
  /** A transaction that starts and messages have joined may have been committed. Worlds tell each other, and no subscriber. */
  | { readonly type: "outbox" }
  /** Another process wrote something. */
  | { readonly type: "changed" };
