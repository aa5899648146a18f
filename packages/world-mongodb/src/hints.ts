/**
 * Hints: exact ones for what this process wrote, to every instance of it on the same store, and `changed` for what
 * others wrote, where the server has change streams.
 */
import type { Hint } from "@perdure/core/world";

/** The instances of this process by store, so that they wake each other without a detour. */
const instances = new Map<string, Set<Hints>>();

type Listener = (hint: Hint) => void;

/** What {@link Hints} needs to know of its store. */
export interface HintSource {
  /** Equal for instances on the same store. */
  readonly store: string;
  /** Begins to watch for the writes of others; returns what ends it. `null` where the server tells of none. */
  readonly watch: ((onChange: () => void) => () => void) | null;
}

/** The hints of one instance. */
export class Hints {
  readonly #source: HintSource;
  readonly #listeners = new Set<Listener>();
  #stopWatching: (() => void) | undefined;

  constructor(source: HintSource) {
    this.#source = source;
  }

  subscribe(listener: Listener): () => void {
    // A listener of its own, so that one function may be subscribed twice.
    const own: Listener = (hint) => listener(hint);
    this.#listeners.add(own);
    this.#start();
    return () => {
      this.#listeners.delete(own);
      if (this.#listeners.size === 0) this.close();
    };
  }

  /** Tells every instance on this store in this process. The hints are computed only if somebody listens. */
  emit(hints: () => Iterable<Hint>): void {
    const listening = instances.get(this.#source.store);
    if (listening === undefined) return;
    for (const hint of hints()) {
      for (const instance of listening) instance.#tell(hint);
    }
  }

  /** Ends every subscription. */
  close(): void {
    this.#listeners.clear();
    this.#stopWatching?.();
    this.#stopWatching = undefined;
    const siblings = instances.get(this.#source.store);
    siblings?.delete(this);
    if (siblings?.size === 0) instances.delete(this.#source.store);
  }

  #start(): void {
    const { store, watch } = this.#source;
    let siblings = instances.get(store);
    if (siblings === undefined) {
      siblings = new Set();
      instances.set(store, siblings);
    }
    siblings.add(this);
    if (watch !== null) this.#stopWatching ??= watch(() => this.#tell({ type: "changed" }));
  }

  // In a microtask of its own: what a listener does or throws must not reach the call that wrote.
  #tell(hint: Hint): void {
    for (const listener of this.#listeners) {
      queueMicrotask(() => {
        if (this.#listeners.has(listener)) listener(hint);
      });
    }
  }
}
