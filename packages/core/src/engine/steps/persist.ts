import { type Clock, delay } from "../../clock.ts";
import { WorldError } from "../../errors/index.ts";

/** What a body has done is not done again because the store does not answer what follows it. */

/** Repeats a call of the store as long as that does not answer, and the attempt counts. */
export type Persist = <T>(call: () => Promise<T>) => Promise<T>;

/** Before the store is asked again, in milliseconds. */
const PAUSE = 1_000;

/** @param counts whether the attempt still does */
export function persistWhile(clock: Clock, counts: () => boolean): Persist {
  return async (call) => {
    for (;;) {
      try {
        return await call();
      } catch (error) {
        if (!WorldError.is(error) || !error.retryable || !counts()) throw error;
        await delay(clock, PAUSE);
      }
    }
  };
}
