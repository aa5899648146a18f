import { MemoryState, memoryWorld } from "@perdure/core/testing";
import type { World } from "@perdure/core/world";
import type { WorldTarget } from "../src/index.ts";

/** One shared state; each World is a view that can die. */
export async function memoryTarget(
  plant: (world: World, state: MemoryState) => World = (world) => world,
): Promise<WorldTarget> {
  const state = new MemoryState();
  const dead = new Set<World>();
  return {
    async open({ beforeOperation }) {
      const world: World = plant(
        memoryWorld({
          state,
          async beforeOperation(operation) {
            if (dead.has(world)) throw new Error("the process of this World is dead");
            await beforeOperation?.(operation);
          },
        }),
        state,
      );
      return world;
    },
    async kill(world) {
      dead.add(world);
    },
    async destroy() {},
  };
}
