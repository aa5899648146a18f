import type { Hint } from "./capabilities.ts";
import { HintListeners } from "./hint-listeners.ts";

/** The instances of this process by store, so that they wake each other without a detour. */
const instances = new Map<unknown, Set<LocalHints>>();

/** What {@link LocalHints} needs to know of its store. */
export interface LocalHintSource {
  /** Equal for instances on the same store. */
  readonly store: unknown;
  /**
   * Begins to watch for the writes of other processes; returns what ends it. `null` where nothing tells of them. Without a
   * hint, something has changed.
   */
  readonly watch: ((onChange: (hint?: Hint) => void) => () => void) | null;
}

/**
 * Hints of a store that carries no messages: exact ones for what this process wrote, to every instance of it on the same
 * store, and `changed` for what others wrote.
 */
export class LocalHints {
  readonly #source: LocalHintSource;
  readonly #listeners = new HintListeners();
  #stopWatching: (() => void) | undefined;

  constructor(source: LocalHintSource) {
    this.#source = source;
  }

  subscribe(listener: (hint: Hint) => void): () => void {
    const remove = this.#listeners.add(listener);
    this.#start();
    return () => {
      remove();
      if (this.#listeners.isEmpty) this.close();
    };
  }

  /** Tells every instance on this store in this process. The hints are computed only if somebody listens. */
  emit(hints: () => Iterable<Hint>): void {
    const listening = instances.get(this.#source.store);
    if (listening === undefined) return;
    for (const hint of hints()) {
      for (const instance of listening) instance.#listeners.tell(hint);
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
    const siblings = instances.get(store) ?? new Set();
    instances.set(store, siblings);
    siblings.add(this);
    if (watch !== null)
      this.#stopWatching ??= watch((hint = { type: "changed" }) => this.#listeners.tell(hint));
  }
}
