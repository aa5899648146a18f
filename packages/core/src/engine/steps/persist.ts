import { type Clock, delay } from "../../clock.ts";
import { WorldError } from "../../errors/index.ts";

/** What a body has done is not done again because the store does not answer what follows it. */

/** An attempt whose body asks something of the store. */
export interface PersistingAttempt {
  readonly host: { readonly clock: Clock };
  /** It does not count any more. */
  readonly over: boolean;
}

/** Before the store is asked again, in milliseconds. */
const PAUSE = 1_000;

/** Repeats a call of the store as long as that does not answer, and the attempt counts. */
export async function persist<T>(attempt: PersistingAttempt, call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!WorldError.is(error) || !error.retryable || attempt.over) throw error;
      await delay(attempt.host.clock, PAUSE);
    }
  }
}
