/** Commands within their time, with what went wrong explained. */
import { clearTimeout, setTimeout } from "node:timers";
import type { WorldError } from "@perdure/core/errors";
import { overdue, worldError } from "./errors.ts";
import type { ServerFailures } from "./server-failures.ts";

/** The part of a call's time after which the server gives it up. */
export const SERVERS_PART = 0.8;

/** What every command of the driver is given: how long it may take, at the server and here. */
export interface Limits {
  readonly maxTimeMS: number;
  readonly signal: AbortSignal;
}

/** Where a command goes, and how long it may take. */
export interface Terms {
  readonly location: string;
  readonly milliseconds: number;
  readonly failures?: ServerFailures;
  /** The World has been open. */
  readonly opened?: boolean;
}

/** Does something on the server within its time, and explains what went wrong. */
export async function timed<T>(
  operation: string,
  { location, milliseconds, failures, opened }: Terms,
  act: (limits: Limits) => Promise<T>,
): Promise<T> {
  const end = new AbortController();
  let late: WorldError | undefined;
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      late = overdue(operation, location, milliseconds, failures?.reason);
      reject(late);
      // The driver closes the connection on which it waits.
      end.abort(late);
    }, milliseconds);
  });
  try {
    const maxTimeMS = Math.max(1, Math.floor(milliseconds * SERVERS_PART));
    return await Promise.race([act({ maxTimeMS, signal: end.signal }), deadline]);
  } catch (error) {
    throw late ?? worldError(error, location, opened);
  } finally {
    clearTimeout(timer);
  }
}
