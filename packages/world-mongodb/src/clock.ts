/**
 * The clock that judges leases and due times: the caller's, or the server's, known by its distance from the caller's.
 *
 * The distance is measured with `hello`, whose answer carries the server's `localTime`. The answer was made at some
 * moment of the round trip; taking its middle errs by at most half of it. The best of a few round trips counts, and a
 * distance is measured anew after {@link STALE} milliseconds of the caller's clock, or when that clock was set back.
 */

/** The answer to `hello`, as far as the clock reads it. */
export interface HelloTime {
  /** Absent where a service does not tell its time. */
  readonly localTime?: Date;
}

const STALE = 60_000;
const TRIES = 3;
/** A distance known to half of this many milliseconds is good enough at once. */
const GOOD = 10;

interface Distance {
  /** Server's time minus caller's. */
  readonly ahead: number;
  /** The caller's time of the measurement. */
  readonly at: number;
}

/** Whose time it is, and what it is. */
export type StoreClock = (callersNow: number) => Promise<number>;

/** The `now` of the caller, for every purpose. */
export const callersClock: StoreClock = async (now) => now;

/**
 * The server's time.
 *
 * @param sayHello sends `hello` and gives its answer
 */
export function serversClock(sayHello: () => Promise<HelloTime>): StoreClock {
  let distance: Distance | undefined;
  let measuring: Promise<Distance> | undefined;

  async function measure(now: number): Promise<Distance> {
    const began = process.hrtime.bigint();
    const elapsed = () => Number(process.hrtime.bigint() - began) / 1e6;
    let best = { ahead: 0, roundTrip: Number.POSITIVE_INFINITY };
    for (let attempt = 0; attempt < TRIES && best.roundTrip > GOOD; attempt++) {
      const sent = elapsed();
      const { localTime } = await sayHello();
      const roundTrip = elapsed() - sent;
      if (localTime !== undefined && roundTrip < best.roundTrip) {
        best = { ahead: localTime.getTime() - (now + sent + roundTrip / 2), roundTrip };
      }
    }
    return { ahead: Math.round(best.ahead), at: now };
  }

  return async (now) => {
    if (distance === undefined || Math.abs(now - distance.at) > STALE) {
      measuring ??= measure(now).finally(() => {
        measuring = undefined;
      });
      distance = await measuring;
    }
    return now + distance.ahead;
  };
}
