import { resolveLogger } from "../logger-choice.ts";
import type { Hint } from "./capabilities.ts";

/** Who is told of hints: the listeners' side of {@link World.subscribe}, the same for every adapter. */
export class HintListeners {
  readonly #listeners = new Set<(hint: Hint) => void>();

  get isEmpty(): boolean {
    return this.#listeners.size === 0;
  }

  /** Adds a listener; returns what removes it. One function may be added twice. */
  add(listener: (hint: Hint) => void): () => void {
    const own = (hint: Hint): void => listener(hint);
    this.#listeners.add(own);
    return () => {
      this.#listeners.delete(own);
    };
  }

  /** Tells each in a microtask of its own: what a listener does or throws must not reach the call that wrote. */
  tell(hint: Hint): void {
    for (const listener of this.#listeners) {
      queueMicrotask(() => {
        if (this.#listeners.has(listener)) void tell(listener, hint);
      });
    }
  }

  clear(): void {
    this.#listeners.clear();
  }
}

/** An asynchronous listener's rejection ends here as well. */
async function tell(listener: (hint: Hint) => void, hint: Hint): Promise<void> {
  try {
    await listener(hint);
  } catch (error) {
    resolveLogger().error("a listener of World.subscribe() failed: catch errors in it", { error });
  }
}
