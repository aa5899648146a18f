import type { MemoryState } from "@perdure/core/testing";
import type { JournalEvent } from "@perdure/core/world";

/** Whether a run is the one named, or goes on for it, be it by way of others. */
export function goesOnFor({ runs }: MemoryState, runId: string, first: string): boolean {
  for (let id: string | null = runId; id !== null; ) {
    if (id === first) return true;
    const second: JournalEvent | undefined = runs.get(id)?.journal[1];
    id = second?.type === "run_forked" ? second.id : null;
  }
  return false;
}
