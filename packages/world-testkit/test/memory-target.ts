import { type MemoryRun, MemoryState, MemoryTransaction, memoryWorld } from "@perdure/core/testing";
import type { OperationProbe, World } from "@perdure/core/world";
import type { WorldTarget } from "../src/index.ts";

/** What a planted bug can get at. */
export interface Planted {
  readonly world: World;
  readonly state: MemoryState;
  /** A store operation of its own: a crash point. */
  readonly operation: (name: string) => Promise<void>;
}

/** The time by the clock of a memory World that has one. */
const OWN_TIME = Date.UTC(2026, 6, 1);

/** One shared state; each World is a view that can die. `plant` gives it a bug. */
export async function memoryTarget(
  plant: (planted: Planted) => World = ({ world }) => world,
): Promise<WorldTarget> {
  const state = new MemoryState();
  const dead = new Set<World>();
  function open(beforeOperation: OperationProbe | undefined, clock?: () => number): World {
    const operation = async (name: string) => {
      if (dead.has(planted)) throw new Error("the process of this World is dead");
      await beforeOperation?.(name);
    };
    const world = memoryWorld({ state, beforeOperation: operation, ...(clock && { clock }) });
    const planted = plant({ world, state, operation });
    return planted;
  }
  return {
    open: async ({ beforeOperation }) => open(beforeOperation),
    openByOwnClock: async () => open(undefined, () => OWN_TIME),
    async kill(world) {
      dead.add(world);
    },
    async stored() {
      const runs = [...state.runs.values()];
      const count = (of: (run: MemoryRun) => number) => runs.reduce((sum, run) => sum + of(run), 0);
      return {
        events: count(({ journal }) => journal.length),
        messages: Math.max(
          state.messages.size,
          count(({ mailbox, endMail }) => mailbox.length + endMail.length),
        ),
        records: state.records.size,
      };
    },
    async begin() {
      const transaction = new MemoryTransaction(state);
      return {
        transaction,
        commit: async () => transaction.commit(),
        rollback: async () => transaction.rollback(),
      };
    },
    async destroy() {},
  };
}
