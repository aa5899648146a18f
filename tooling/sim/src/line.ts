import type { StoreView } from "./kinds/kind.ts";

/** Whether a run is the one named, or goes on for it, be it by way of others. */
export function goesOnFor(view: Pick<StoreView, "fold">, runId: string, first: string): boolean {
  for (let id: string | null = runId; id !== null; id = view.fold(id)?.forkOf ?? null) {
    if (id === first) return true;
  }
  return false;
}
