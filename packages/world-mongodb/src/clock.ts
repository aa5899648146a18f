/**
 * The clock that judges leases and due times: the caller's, or the server's.
 *
 * The server's time is asked with `hello`, whose answer carries `localTime`, and goes on from there by this process's
 * monotonic clock: what becomes of the caller's wall clock meanwhile changes nothing. The answer was made at some moment
 * of the round trip; taking its middle errs by at most half of it. The best of a few round trips counts. The time is asked
 * anew after {@link STALE} milliseconds, and when the caller's clock and the monotonic one have parted, as they do when
 * either is stopped or set.
 */

import { WorldError } from "@perdure/core/errors";

/** The answer to `hello`, as far as the clock reads it: `localTime` is whatever a service puts there. */
export interface HelloTime {
  readonly localTime?: unknown;
}

const STALE = 60_000;
const TRIES = 3;
/** A time known to half of this many milliseconds is good enough at once. */
const GOOD = 10;
/** The caller's clock and the monotonic one may part by so many milliseconds before the time is asked anew. */
const PARTED = 500;

/** The server's time, at a moment of the monotonic clock. */
interface Measurement {
  readonly time: number;
  readonly at: number;
  /** What the caller's clock said at that moment. */
  readonly callers: number;
}

/** The time by which a call is judged, given the caller's. */
export type StoreClock = (callersNow: number) => Promise<number>;

/** The `now` of the caller, for every purpose. */
export const callersClock: StoreClock = async (now) => now;

/** The server's time in the answer to `hello`; `undefined` where it tells none. */
export function timeOf({ localTime }: HelloTime): number | undefined {
  if (!(localTime instanceof Date)) return undefined;
  const time = localTime.getTime();
  return Number.isNaN(time) ? undefined : time;
}

/**
 * The server's time.
 *
 * @param sayHello sends `hello` and gives its answer
 * @param monotonic milliseconds that only ever go on
 * @throws {WorldError} where a server that told its time tells it no longer
 */
export function serversClock(
  sayHello: () => Promise<HelloTime>,
  monotonic: () => number = () => Number(process.hrtime.bigint()) / 1e6,
): StoreClock {
  let last: Measurement | undefined;
  let measuring: Promise<Measurement> | undefined;

  async function measure(now: number): Promise<Measurement> {
    const began = monotonic();
    let best: Measurement | undefined;
    let shortest = Number.POSITIVE_INFINITY;
    for (let attempt = 0; attempt < TRIES && shortest > GOOD; attempt++) {
      const sent = monotonic();
      const time = timeOf(await sayHello());
      const answered = monotonic();
      if (time === undefined || answered - sent >= shortest) continue;
      shortest = answered - sent;
      const at = (sent + answered) / 2;
      best = { time, at, callers: now + (at - began) };
    }
    if (best === undefined) throw new WorldError("The MongoDB server does not tell its time any more.");
    return best;
  }

  const isGood = (now: number, { at, callers }: Measurement): boolean => {
    const elapsed = monotonic() - at;
    return elapsed <= STALE && Math.abs(now - callers - elapsed) <= PARTED;
  };

  return async (now) => {
    if (last === undefined || !isGood(now, last)) {
      measuring ??= measure(now).finally(() => {
        measuring = undefined;
      });
      last = await measuring;
    }
    return Math.round(last.time + monotonic() - last.at);
  };
}
