import type { RunRecord, World } from "../../world/index.ts";

/** How a run ended: the part of a terminal row that its result is made of. */
export type RunEnding = Pick<RunRecord, "runId" | "workflow" | "status" | "output" | "error">;

/** Tells those who wait for runs, in this process, how a run has ended here; one hub per World. */
export interface Completions {
  /** The store has acknowledged the commit that ended the run. */
  finished(ending: RunEnding): void;
  subscribe(listener: (ending: RunEnding) => void): () => void;
}

const hubs = new WeakMap<World, Completions>();

/** The hub of a World. */
export function completions(world: World): Completions {
  const known = hubs.get(world);
  if (known !== undefined) return known;
  const listeners = new Set<(ending: RunEnding) => void>();
  const hub: Completions = {
    finished(ending) {
      for (const listener of listeners) listener(ending);
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  hubs.set(world, hub);
  return hub;
}
