import type { World } from "../world/index.ts";

/** Tells those who wait for runs, in this process, that a run has ended here; one hub per World. */
export interface Completions {
  /** A run is terminal in the store. */
  finished(runId: string): void;
  subscribe(listener: (runId: string) => void): () => void;
}

const hubs = new WeakMap<World, Completions>();

/** The hub of a World. */
export function completions(world: World): Completions {
  const known = hubs.get(world);
  if (known !== undefined) return known;
  const listeners = new Set<(runId: string) => void>();
  const hub: Completions = {
    finished(runId) {
      for (const listener of listeners) listener(runId);
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  hubs.set(world, hub);
  return hub;
}
