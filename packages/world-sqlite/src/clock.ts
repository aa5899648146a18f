/**
 * The one place where this package reads a clock of the machine itself. Captured when the module loads, so that fake timers
 * of a test and the determinism guard do not change it.
 */
import { readFileSync, readlinkSync } from "node:fs";
import { performance } from "node:perf_hooks";

const sinceStart = performance.now.bind(performance);
// The machine's monotonic clock at the moment from which `performance` counts.
const START = Number(process.hrtime.bigint()) / 1e6 - sinceStart();

/** What the clocks of the machine say at one moment. */
export interface Reading {
  /** Within one boot the monotonic clock goes on; its readings of two boots have nothing to do with each other. */
  readonly boot: string;
  /** Milliseconds. */
  readonly monotonic: number;
  /** The time of day, in milliseconds since the epoch. */
  readonly wall: number;
}

/** Milliseconds of a clock that nobody sets; it means the same to all processes of one boot. */
export function monotonicNow(): number {
  return START + sinceStart();
}

let boot: string | undefined;

/**
 * Names the time for which {@link monotonicNow} goes on: this boot of the machine, seen from this time namespace. Empty
 * where the system does not tell (anything but Linux); a new boot then shows only by a monotonic clock that has gone back,
 * and a store that lay still for longer than both boots is late until no lease is held, or gains on the time of day.
 */
export function bootId(): string {
  boot ??= [
    orEmpty(() => readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()),
    orEmpty(() => readlinkSync("/proc/self/ns/time")),
  ].join(" ");
  return boot;
}

function orEmpty(read: () => string): string {
  try {
    return read();
  } catch {
    return "";
  }
}
