import type { JournalEvent } from "@perdure/core/world";
import type { RunFold } from "../fold.ts";
import { slot } from "../slot.ts";
import type { Kind } from "./kind.ts";

/** Abort signals. */

const abortedOf: (fold: RunFold) => Set<string> = slot(() => new Set());

export const signalKind: Kind = {
  events: { signal_aborted: { read: abort }, abort_received: { read: abort }, signal_watched: {} },
};

function abort(fold: RunFold, event: JournalEvent): void {
  const [id, aborted] = [event.id ?? "", abortedOf(fold)];
  if (aborted.has(id)) fold.refuse(event, "the signal was aborted before");
  aborted.add(id);
}
