import type { JournalEvent } from "@perdure/core/world";
import { LawBroken } from "./failure.ts";
import { eventHas } from "./kinds/index.ts";

/**
 * A run that goes on for another begins with what that one's journal has, but for attempts that are made anew and payloads that it
 * left.
 *
 * @param journal its first events
 * @param before the run for which it goes on, and its journal
 */
export function checkGoesOn(
  runId: string,
  journal: readonly JournalEvent[],
  before: { readonly runId: string; readonly journal: readonly JournalEvent[] },
): void {
  const theirs = before.journal
    .slice(1)
    .filter(({ type }) => type !== "run_forked" && !eventHas(type, "after"));
  let place = 0;
  for (const { type, id } of journal.slice(2)) {
    // What that one has after the place from which this one goes on.
    if (eventHas(type, "after")) continue;
    for (let other = theirs[place]; other !== undefined; other = theirs[++place]) {
      if (!eventHas(other.type, "left") || (other.type === type && other.id === id)) break;
    }
    if (eventHas(type, "own") && theirs[place]?.type !== type) continue;
    const event = theirs[place++];
    if (event?.type === type && event.id === id) continue;
    const what = `its journal has ${type} ${id} where that of ${before.runId} has ${event?.type} ${event?.id}`;
    throw new LawBroken("one run goes on for another", what, runId);
  }
}
