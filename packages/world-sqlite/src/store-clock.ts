/**
 * The clock that judges leases and due times. All processes that share a file run on one machine, so they share two of its
 * clocks: the one that tells the time of day, which somebody may set, and a monotonic one, which nobody can. The store keeps
 * one row that ties the two together, and its time goes on from there by the monotonic clock: no step of the time of day
 * ends a lease. Neither clock is JavaScript's `Date`, so a process in which that is wrong or replaced does no harm.
 */
import type { Reading } from "./clock.ts";
import type { Connection } from "./connection.ts";
import type { Tables } from "./tables.ts";

/** The times of one call. */
export interface Times {
  /** The time by which leases and due times are judged. */
  readonly now: number;
  /** What a time of the caller's is by that clock: as far from its now as the caller meant it to be. */
  at(callersTime: number): number;
}

/** What a {@link StoreClock} goes by. */
export interface StoreClock {
  /** The times of a call whose caller says that it is `callersNow`. Inside of a write transaction. */
  read(callersNow: number): Times;
  /** As {@link read} without writing; `null` when the clock must be set first, which takes a write transaction. */
  glance(callersNow: number): Times | null;
}

/** The store's time at one reading of the monotonic clock. */
export interface Anchor {
  readonly boot: string;
  readonly monotonic: number;
  readonly time: number;
}

// Clocks that differ by less are left alone. In milliseconds, as what follows.
const TOLERANCE = 250;
const SHORTEST_INTERVAL = 100;
const LONGEST_INTERVAL = 1_000;

/** For a World that goes by its callers' clock. */
export const callersClock: StoreClock = { read: callersTimes, glance: callersTimes };

function callersTimes(now: number): Times {
  return { now, at: (time) => time };
}

/** The clock of a store, set by what `readMachine` says. */
export function machineClock(connection: Connection, tables: Tables, readMachine: () => Reading): StoreClock {
  const selectAnchor = connection.prepareTuples<[boot: string, monotonic: number, time: number]>(
    "read clock",
    `SELECT boot, monotonic, time FROM ${tables.clock}`,
  );
  function readAnchor(): Anchor | undefined {
    const row = selectAnchor.get();
    return row && { boot: row[0], monotonic: row[1], time: row[2] };
  }
  const writeAnchor = connection.prepare(
    "set clock",
    `INSERT OR REPLACE INTO ${tables.clock} (id, boot, monotonic, time) VALUES (1, ?, ?, ?)`,
  );
  const selectLease = connection.prepare(
    "find lease",
    `SELECT id FROM ${tables.runs} INDEXED BY ${tables.runs}_due
     WHERE due_at IS NOT NULL AND due_at > ? AND owner IS NOT NULL LIMIT 1`,
  );
  const isLeaseHeldAt = (time: number): boolean => selectLease.get(time) !== undefined;

  return {
    read(callersNow) {
      const anchor = readAnchor();
      const reading = readMachine();
      if (anchor !== undefined && !isOff(anchor, reading))
        return timesAt(timeBy(anchor, reading), callersNow);
      const time = anchor === undefined ? reading.wall : corrected(anchor, reading, isLeaseHeldAt);
      writeAnchor.run(reading.boot, reading.monotonic, time);
      return timesAt(time, callersNow);
    },
    glance(callersNow) {
      const anchor = readAnchor();
      const reading = readMachine();
      if (anchor === undefined || isOff(anchor, reading)) return null;
      return timesAt(timeBy(anchor, reading), callersNow);
    },
  };
}

/** Reads by the store's clock, under the write lock only where that clock must be set first. */
export async function readAt<T>(
  connection: Connection,
  clock: StoreClock,
  callersNow: number,
  work: (now: number) => T,
): Promise<T> {
  const found = await connection.read(() => {
    const times = clock.glance(callersNow);
    return times === null ? null : { answer: work(times.now) };
  });
  return found === null ? connection.write(() => work(clock.read(callersNow).now)) : found.answer;
}

function timesAt(time: number, callersNow: number): Times {
  const now = Math.floor(time);
  return { now, at: (callersTime) => callersTime - callersNow + now };
}

function isSameBoot(anchor: Anchor, reading: Reading): boolean {
  return anchor.boot === reading.boot && anchor.monotonic <= reading.monotonic;
}

function timeBy(anchor: Anchor, reading: Reading): number {
  return anchor.time + reading.monotonic - anchor.monotonic;
}

/** Whether the clock must be set. */
export function isOff(anchor: Anchor, reading: Reading): boolean {
  if (!isSameBoot(anchor, reading)) return true;
  if (reading.monotonic - anchor.monotonic < SHORTEST_INTERVAL) return false;
  return Math.abs(reading.wall - timeBy(anchor, reading)) > TOLERANCE;
}

/**
 * The store's time at a reading, nearer to the time of day than the anchor says.
 *
 * - After a boot it is the time of day: nobody of the boot before is left.
 * - Where the time of day is ahead (a clock that was set forward, a machine that was asleep) and no lease is held, it is
 *   the time of day as well: runs that sleep come due when they should.
 * - Else it goes there at half or at one and a half speed. No lease that is renewed at every third of its length ends
 *   early, and no sleep takes more than twice its time because the clock was set back.
 */
export function corrected(
  anchor: Anchor,
  reading: Reading,
  isLeaseHeldAt: (time: number) => boolean,
): number {
  if (!isSameBoot(anchor, reading)) return reading.wall;
  const time = timeBy(anchor, reading);
  const off = reading.wall - time;
  if (off > 0 && !isLeaseHeldAt(time)) return reading.wall;
  const step = Math.min(reading.monotonic - anchor.monotonic, LONGEST_INTERVAL) / 2;
  return time + Math.min(Math.max(off, -step), step);
}
