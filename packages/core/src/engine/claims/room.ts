/** How many runs a worker may hold: what it says to claims, and to starts that would begin here. */

export interface RoomOptions {
  readonly maxRuns: number;
  /** Nothing is taken: the worker closes, looks after a suspect, or cannot commit. */
  readonly shut: () => boolean;
  /** Runs that are held, but for those whose steps wait for other runs: they may wait for those that are to be taken. */
  readonly held: () => number;
  /** Runs that the claim under way may bring. */
  readonly asked: () => number;
  readonly slots: { readonly limit: number; readonly queued: number; readonly queuedRuns: number };
  /** A reserved place was not taken. */
  readonly onFreed: () => void;
}

export class Room {
  readonly #options: RoomOptions;
  /** Places of runs that are being created for this worker. */
  #reserved = 0;

  constructor(options: RoomOptions) {
    this.#options = options;
  }

  /** Whether a run may be created for this worker. Not while steps wait for a slot: another worker may have one. */
  get accepts(): boolean {
    return this.#options.slots.queued === 0 && this.#free - this.#options.asked() > 0;
  }

  /** While steps wait for a slot, runs are taken as long as each one that waits has its turn in a round of all slots. */
  get forClaims(): number {
    const { limit, queuedRuns } = this.#options.slots;
    return queuedRuns === 0 ? this.#free : Math.min(this.#free, Math.max(limit - queuedRuns, 0));
  }

  /** Keeps a place for a run that is being created for this worker, until the returned function is called. */
  reserve(): () => void {
    this.#reserved++;
    let kept = true;
    return () => {
      if (!kept) return;
      kept = false;
      this.#reserved--;
      this.#options.onFreed();
    };
  }

  get #free(): number {
    const { maxRuns, shut, held } = this.#options;
    return shut() ? 0 : Math.max(maxRuns - held() - this.#reserved, 0);
  }
}
