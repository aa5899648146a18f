import type { World } from "@perdure/core/world";
import type { Random, SimProcess } from "@perdure/simulator/cluster";

/** What an actor works with. It may die at any await, and begins anew then. */
export interface Actor {
  /** The same over all its lives. */
  readonly place: number;
  readonly process: SimProcess;
  readonly world: World;
  readonly random: Random;
  readonly leaseTtl: number;
  /** The loop has ended. */
  readonly over: () => boolean;
  readonly fail: (error: unknown) => void;
}
