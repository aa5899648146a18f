import { outside } from "../outside.ts";

/**
 * Looks at an outbox, one look at a time. A look that is asked for during another one follows it, so that nothing which was
 * there when it was asked for is overlooked.
 */
export class Mover {
  readonly #move: () => Promise<void>;
  #looking: Promise<void> | undefined;
  #again = false;

  /** `move` carries out everything that waits. What it rejects with is left to the next look. */
  constructor(move: () => Promise<void>) {
    this.#move = move;
  }

  /** Resolves when a look has ended that began after this call. Never rejects. */
  look(): Promise<void> {
    this.#again = true;
    this.#looking ??= this.#run();
    return this.#looking;
  }

  async #run(): Promise<void> {
    while (this.#again) {
      this.#again = false;
      await outside(this.#move).catch(() => undefined);
    }
    this.#looking = undefined;
  }
}
