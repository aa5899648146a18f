import { processWide } from "../../process-wide.ts";
import type { World } from "../../world/index.ts";
import type { AttemptResult } from "./attempt.ts";

/**
 * The step bodies that run in this process, by step id; one registry per World, so that no worker on it starts a body
 * beside one of the same step, also when the attempt of that one is over.
 */
export type RunningBodies = Map<string, RunningBody>;

export interface RunningBody {
  /** Which attempt of the step it is. */
  readonly attempt: number;
  /** Resolves when it has settled, with its result if a later attempt may take it for its own, else `null`. */
  readonly settled: Promise<AttemptResult | null>;
}

const registries: WeakMap<World, RunningBodies> = processWide("running-bodies", () => new WeakMap());

/** The registry of a World. */
export function runningBodies(world: World): RunningBodies {
  const known = registries.get(world);
  if (known !== undefined) return known;
  const bodies: RunningBodies = new Map();
  registries.set(world, bodies);
  return bodies;
}
