import TinyQueue from "tinyqueue";
import type { Random } from "./random.ts";

/**
 * Virtual time and the event loops of all simulated processes. One macrotask at a time, each followed by a turn of the
 * real event loop, so that every microtask it set off has run before the next one; which process goes first is the
 * seed's choice.
 */

/** One event loop: its macrotasks run in order, those of different lanes in any order. */
export interface Lane {
  readonly name: string;
  state: "running" | "frozen" | "dead";
}

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly lane: Lane;
  fn: (() => void) | null;
}

/** Runs a macrotask in the context of its process. */
export type Enter = (lane: Lane, fn: () => void) => void;

/** When a simulation began, ms since the epoch. */
export const START: number = Date.UTC(2026, 0, 1);

/** Time, and what is to happen next in which process. */
export class Scheduler {
  now: number = START;
  /** Macrotasks that were run. */
  turns = 0;
  /** Macrotasks since time moved on last. */
  turnsAtThisTime = 0;
  readonly #random: Random;
  readonly #enter: Enter;
  readonly #ready: Map<Lane, (() => void)[]> = new Map();
  readonly #timers: TinyQueue<Timer> = new TinyQueue<Timer>([], (a, b) => a.at - b.at || a.order - b.order);
  #order = 0;

  constructor(random: Random, enter: Enter) {
    this.#random = random;
    this.#enter = enter;
  }

  /** Calls `fn` in a macrotask of the lane, after those that it has already. */
  turn(lane: Lane, fn: () => void): void {
    if (lane.state === "dead") return;
    const queue = this.#ready.get(lane);
    if (queue === undefined) this.#ready.set(lane, [fn]);
    else queue.push(fn);
  }

  /** Calls `fn` in a macrotask of the lane once the time has come; returns what cancels it. */
  at(at: number, lane: Lane, fn: () => void): () => void {
    // Clocks tell whole milliseconds.
    const timer: Timer = { at: Math.max(Math.ceil(at), this.now), order: this.#order++, lane, fn };
    this.#timers.push(timer);
    return () => {
      timer.fn = null;
    };
  }

  /** Moves time on at once: timers of the time between are late, as when all machines stood still. */
  jumpTo(at: number): void {
    this.now = Math.max(this.now, Math.ceil(at));
    this.turnsAtThisTime = 0;
  }

  kill(lane: Lane): void {
    lane.state = "dead";
    this.#ready.delete(lane);
  }

  /** Runs until `done` holds or the time has come; true if `done` holds. */
  async run(until: number, done: () => boolean): Promise<boolean> {
    for (;;) {
      if (done()) return true;
      if (this.#step(until)) await macrotask();
      else return false;
    }
  }

  /** Runs the next macrotask; false if there is none before `until`. */
  #step(until: number): boolean {
    for (;;) {
      const lane = this.#pickLane();
      if (lane !== undefined) {
        const queue = this.#ready.get(lane) as (() => void)[];
        const fn = queue.shift() as () => void;
        if (queue.length === 0) this.#ready.delete(lane);
        this.turns++;
        this.turnsAtThisTime++;
        this.#enter(lane, fn);
        return true;
      }
      const timer = this.#timers.peek();
      if (timer === undefined || timer.at > until) return false;
      this.#timers.pop();
      const { lane: owner, fn } = timer;
      if (fn === null || owner.state === "dead") continue;
      if (timer.at > this.now) {
        this.now = timer.at;
        this.turnsAtThisTime = 0;
      }
      // Cancelled until the moment it is called, as with a real timer.
      this.turn(owner, () => timer.fn?.());
    }
  }

  #pickLane(): Lane | undefined {
    const lanes = [...this.#ready.keys()].filter(({ state }) => state === "running");
    return lanes.length > 1 ? this.#random.pick(lanes) : lanes[0];
  }
}

// Taken before any worker puts the determinism guard over it.
const turnOfTheRealLoop: typeof setImmediate = setImmediate;

function macrotask(): Promise<void> {
  return new Promise((resolve) => turnOfTheRealLoop(resolve));
}
