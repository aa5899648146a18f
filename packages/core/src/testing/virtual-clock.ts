import { type Clock, systemClock, systemSetImmediate } from "../clock.ts";
import { outside } from "../outside.ts";

/** A clock that stands still until a test moves it. */
export interface VirtualClock extends Clock {
  /**
   * Moves time on by `ms` milliseconds: fires the timers that come due on the way, each at its own time and in
   * order, and lets the work that each of them starts settle before the next. Resolves when all is settled.
   */
  advance(ms: number): Promise<void>;
  /** Moves time to the next timer and fires it, and all of the same time. `false`, and no move, when there is none. */
  advanceToNext(): Promise<boolean>;
}

interface Timer {
  readonly at: number;
  readonly fn: () => void;
}

/**
 * Makes a {@link VirtualClock}. `start` is its first `now`, in ms since the epoch.
 *
 * Work settles in macrotask turns: the clock moves on when no {@link Clock.turn} or `pause` is pending and a whole turn of the
 * event loop has passed. Work that waits for a socket or a file is not waited for.
 *
 * A timer set for a time that has come is fired in the next turn, as a real clock would.
 */
export function virtualClock(options: { readonly start?: number } = {}): VirtualClock {
  let now = options.start ?? Date.UTC(2026, 0, 1);
  let turns = 0;
  // In the order in which they were set, so that timers of one time fire in that order.
  const timers = new Set<Timer>();

  function turn(fn: () => void): void {
    turns++;
    outside(() =>
      systemSetImmediate(() => {
        turns--;
        fn();
      }),
    );
  }

  function pause(fn: () => void): void {
    turns++;
    systemClock.pause(() => {
      turns--;
      fn();
    });
  }

  async function settle(): Promise<void> {
    do {
      await new Promise<void>((resolve) => systemSetImmediate(resolve));
    } while (turns > 0);
  }

  function next(until: number): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of timers) {
      if (timer.at <= until && (first === undefined || timer.at < first.at)) first = timer;
    }
    return first;
  }

  function fire(timer: Timer): void {
    if (timers.delete(timer)) outside(timer.fn);
  }

  async function advanceTo(until: number): Promise<void> {
    await settle();
    for (let timer = next(until); timer !== undefined; timer = next(until)) {
      now = Math.max(now, timer.at);
      fire(timer);
      await settle();
    }
    now = Math.max(now, until);
  }

  return {
    now: () => now,
    elapsed: () => now,
    turn,
    pause,
    setTimer(at, fn) {
      // Clocks tell whole milliseconds: one at a fraction before a run is due would find it not due yet.
      const timer: Timer = { at: Math.ceil(at), fn };
      timers.add(timer);
      if (timer.at <= now) turn(() => fire(timer));
      return () => timers.delete(timer);
    },
    advance: (ms) => advanceTo(now + ms),
    async advanceToNext() {
      await settle();
      const timer = next(Number.POSITIVE_INFINITY);
      if (timer === undefined) return false;
      await advanceTo(timer.at);
      return true;
    },
  };
}
