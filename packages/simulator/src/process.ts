import { AsyncLocalStorage } from "node:async_hooks";
import type { Clock } from "@perdure/core/testing";
import type { Lane, Scheduler } from "./scheduler.ts";

/** A simulated operating-system process: an event loop, a clock, and an end. */
export interface SimProcess extends Lane {
  /** Whether faults may end or stop it. */
  readonly mortal: boolean;
  /** How far its clock is ahead, in ms. */
  skew: number;
  readonly clock: Clock;
  /** The worker that it runs, once there is one. */
  workerId: string | null;
}

const processes = new AsyncLocalStorage<SimProcess>();

/** The process whose macrotask, or whatever follows from it, is running. */
export function currentProcess(): SimProcess | undefined {
  return processes.getStore();
}

/** Makes the macrotasks of a lane run as that process. */
export function enterProcess(lane: Lane, fn: () => void): void {
  processes.run(lane as SimProcess, fn);
}

/** A process whose turns and timers come late while it is frozen, and never once it is dead. */
export function newProcess(scheduler: Scheduler, name: string, mortal: boolean): SimProcess {
  const clock: Clock = {
    now: () => scheduler.now + process.skew,
    elapsed: () => scheduler.now,
    setTimer: (at, fn) => scheduler.at(at - process.skew, process, fn),
    turn: (fn) => scheduler.turn(process, fn),
    pause: (fn) => scheduler.turn(process, fn),
  };
  const process: SimProcess = { name, mortal, skew: 0, state: "running", clock, workerId: null };
  return process;
}

/** Waits in a process. Never resolves once the process is dead. */
export function pause(process: SimProcess, ms: number): Promise<void> {
  return new Promise((resolve) => {
    process.clock.setTimer(process.clock.now() + ms, resolve);
  });
}
