import type { MemoryRun } from "@perdure/core/testing";
import type { World } from "@perdure/core/world";
import type { Planted } from "../memory-target.ts";

/** One way to break one law. The methods given replace those of a memory World that is right. */
export interface Bug {
  /** Name of the law whose file must find it. */
  readonly law: string;
  readonly what: string;
  readonly plant: (planted: Planted) => Partial<World>;
}

export function bug(law: string, what: string, plant: Bug["plant"]): Bug {
  return { law, what, plant };
}

/** The stored run, for bugs that reach around the World. */
export function stored({ state }: Planted, runId: string): MemoryRun | undefined {
  return state.runs.get(runId);
}

/** Lets others in between two halves of an act that should be one. */
export function gap(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
