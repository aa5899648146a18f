import type { CreateRun, CreateRunResult, World } from "../../world/index.ts";

/** Runs that this process has started and not taken itself: for whoever looks whether anybody executes them. One hub per World. */

/** A run that waits for a worker. */
export interface StartedRun {
  readonly runId: string;
  readonly workflow: string;
}

type Listener = (run: StartedRun) => void;

const hubs = new WeakMap<World, Set<Listener>>();

/** Has the runs told that are started from now on. */
export function onStarted(world: World, listener: Listener): void {
  const listeners = hubs.get(world) ?? new Set();
  listeners.add(listener);
  hubs.set(world, listeners);
}

/** Creates runs in the World, and tells of those that came to be without a lease. */
export async function createRuns(
  world: World,
  batch: readonly CreateRun[],
  now: number,
): Promise<readonly CreateRunResult[]> {
  const results = await world.createRuns(batch, now);
  const listeners = hubs.get(world);
  if (listeners === undefined) return results;
  for (const [index, result] of results.entries()) {
    const request = batch[index];
    if (request === undefined || result.outcome !== "created" || result.lease !== null) continue;
    for (const listener of listeners) listener({ runId: request.runId, workflow: request.workflow });
  }
  return results;
}
