import { MemoryState, memoryWorld } from "@perdure/core/testing";
import type { World } from "@perdure/core/world";
import { type CheckOptions, Checks } from "./checks.ts";
import type { Plant } from "./config.ts";
import { LawBroken } from "./failure.ts";
import { plantBug } from "./plants.ts";

/** The one store of a simulated cluster: the memory World, checked after every write. */
export interface Store {
  readonly world: World;
  readonly state: MemoryState;
  readonly checks: Checks;
}

export interface StoreOptions extends CheckOptions {
  readonly plant: Plant | undefined;
  /** Virtual time. */
  readonly time: () => number;
}

export function newStore(options: StoreOptions): Store {
  const { plant, leaseTtl, time } = options;
  const state = new MemoryState();
  const memory = memoryWorld({ state, clock: time });
  const world = plant === undefined ? memory : plantBug(memory, state, plant);
  const checks = new Checks(state, options);
  return {
    state,
    checks,
    world: {
      ...world,
      async createRuns(batch, now) {
        const results = await world.createRuns(batch, now);
        for (const { runId } of batch) {
          checks.written(runId, time());
          checks.started(runId);
        }
        return results;
      },
      async claim(request) {
        const due = new Map([...state.runs.values()].map(({ row }) => [row.runId, row]));
        const result = await world.claim(request);
        for (const { run, lost } of result.runs) {
          const before = due.get(run.runId);
          if (before === undefined || before.dueAt === null || before.dueAt > time()) {
            throw new LawBroken("fencing", `claimed while due at ${before?.dueAt}`, run.runId);
          }
          if (lost !== (before.owner !== null)) throw new LawBroken("fencing", `lost is ${lost}`, run.runId);
          checks.written(run.runId, time());
        }
        return result;
      },
      async renew(request) {
        const results = await world.renew(request);
        request.leases.forEach(({ runId }, index) => {
          if (results[index]?.outcome === "renewed") checks.renewed(runId, time(), leaseTtl * 4);
        });
        return results;
      },
      async commit(batch, now) {
        const rows = batch.map(({ runId }) => state.runs.get(runId)?.row);
        const results = await world.commit(batch, now);
        batch.forEach((commit, index) => {
          const before = rows[index];
          const changed = state.runs.get(commit.runId)?.row !== before;
          if (changed && before?.epoch !== commit.epoch) {
            throw new LawBroken(
              "fencing",
              `a commit under epoch ${commit.epoch} was written when the lease was that of epoch ${before?.epoch}`,
              commit.runId,
            );
          }
          checks.written(commit.runId, time());
        });
        return results;
      },
      async deliver(batch, now) {
        const results = await world.deliver(batch, now);
        for (const result of results) if ("runId" in result) checks.written(result.runId, time());
        return results;
      },
    },
  };
}
