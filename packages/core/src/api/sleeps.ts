import { checkOptionNames } from "../option-names.ts";

/** What `run.wakeUp()` takes. The names are those of the Workflow SDK. */

/** Options of {@link Run.wakeUp}. */
export interface StopSleepOptions {
  /** Only these sleeps: the `id` of their `wait_created` events, see {@link Run.events}. Default, also for none: all that are pending. */
  readonly correlationIds?: readonly string[];
}

/** Reads which sleeps are meant; `null` for all. Throws a `TypeError` for what cannot be meant. */
export function sleepIds(options: StopSleepOptions): readonly string[] | null {
  checkOptionNames<StopSleepOptions>("wakeUp()", options, { correlationIds: true });
  const { correlationIds } = options;
  if (correlationIds === undefined) return null;
  if (!Array.isArray(correlationIds) || !correlationIds.every((id) => typeof id === "string")) {
    throw new TypeError('wakeUp(): correlationIds must be an array of ids of sleeps, such as ["wait_…"].');
  }
  return correlationIds.length === 0 ? null : [...correlationIds];
}
