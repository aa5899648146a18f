import type { RunDetail } from "../../protocol.ts";
import { pathOf } from "../api.ts";
import type { Update } from "../resource.ts";

/** A run that is shown is brought up to date by what changed since: a long timeline is not sent anew with each event. */
export const detailUpdate: Update<RunDetail> = {
  url: ({ run }) => pathOf("run", { id: run.runId }, { since: run.seq }),
  join: (before, changes) => {
    // The journal was begun anew: what is here is of another generation.
    if (before.firstSeq !== changes.firstSeq) return null;
    const entries = new Map(before.timeline.map((entry) => [entry.seq, entry]));
    for (const entry of changes.timeline) entries.set(entry.seq, entry);
    const timeline = [...entries.values()].sort((one, other) => one.seq - other.seq);
    return { ...changes, timeline };
  },
};
