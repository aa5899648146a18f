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

  /** Tells them in a microtask: what a listener does or throws must not reach the call that wrote, nor another listener. */
  tell(hint: Hint): void {
    if (this.isEmpty) return;
    queueMicrotask(() => {
      for (const listener of this.#listeners) tell(listener, hint);
    });
  }

  clear(): void {
    this.#listeners.clear();
  }
}

/** An asynchronous listener's rejection ends here as well. */
function tell(listener: (hint: Hint) => unknown, hint: Hint): void {
  try {
    const told = listener(hint);
    if (typeof told === "object" && told !== null) Promise.resolve(told).catch(complain);
  } catch (error) {
    complain(error);
  }
}

function complain(error: unknown): void {
  resolveLogger().error("a listener of World.subscribe() failed: catch errors in it", { error });
}
