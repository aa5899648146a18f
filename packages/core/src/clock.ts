/** The one boundary to time: everything of the engine that waits or asks for the time does it through a `Clock`. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /**
   * Calls `fn` once, when the clock has reached `at` (ms since the epoch). Returns the function that cancels it.
   * Never keeps the process alive.
   */
  setTimer(at: number, fn: () => void): () => void;
  /** Calls `fn` after all microtasks that are queued now and all that they queue: a macrotask turn. */
  turn(fn: () => void): void;
}
