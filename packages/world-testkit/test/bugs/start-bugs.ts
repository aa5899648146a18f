import { type Bug, bug, gap, stored } from "./bug.ts";

export const startBugs: readonly Bug[] = [
  bug("open", "opening a store again empties it", ({ world, state }) => ({
    async open() {
      await world.open();
      for (const run of [...state.runs.values()]) state.deleteRun(run);
    },
  })),
  bug("open", "closing releases the leases", ({ state }) => ({
    async close() {
      for (const run of state.runs.values()) state.setRow(run, { owner: null, dueAt: 0 });
    },
  })),

  bug("start-once", "names are not looked at", ({ world }) => ({
    createRuns: (batch, now) =>
      world.createRuns(
        batch.map((run) => ({ ...run, names: [] })),
        now,
      ),
  })),
  bug("start-once", "names are looked up first and taken later", ({ world, state }) => ({
    async createRuns(batch, now) {
      const free = batch.map(({ names }) => names.every(({ name }) => state.names.get(name, now) === null));
      await gap();
      return world.createRuns(
        batch.map((run, index) => (free[index] ? { ...run, names: [] } : run)),
        now,
      );
    },
  })),
  bug("start-once", "a request sent again begins the run anew", (planted) => ({
    createRuns(batch, now) {
      for (const { runId } of batch) {
        const run = stored(planted, runId);
        if (run !== undefined) planted.state.deleteRun(run);
      }
      return planted.world.createRuns(batch, now);
    },
  })),
  bug("start-once", "the first lease is given to anyone who asks again", (planted) => ({
    async createRuns(batch, now) {
      const results = await planted.world.createRuns(batch, now);
      return results.map((result, index) => {
        const asked = batch[index];
        if (result.outcome !== "created" || !asked?.lease) return result;
        return { ...result, lease: { runId: asked.runId, epoch: 1, claimId: asked.lease.claimId } };
      });
    },
  })),
  bug("start-once", "the first lease is not taken with the run", ({ world }) => ({
    createRuns: (batch, now) =>
      world.createRuns(
        batch.map((run) => ({ ...run, lease: null })),
        now,
      ),
  })),
];
