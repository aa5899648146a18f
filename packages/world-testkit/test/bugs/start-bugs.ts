import { type Bug, bug, stored } from "./bug.ts";

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

  bug("start-once", "the key is not looked at", ({ world }) => ({
    createRuns: (batch, now) =>
      world.createRuns(
        batch.map((run) => ({ ...run, startKey: null })),
        now,
      ),
  })),
  bug("start-once", "the key is looked up first and taken later", (planted) => ({
    async createRuns(batch, now) {
      const { world, state } = planted;
      const free = batch.map(
        ({ workflow, startKey }) =>
          startKey !== null && state.keyHolder(workflow, startKey.key) === undefined,
      );
      await new Promise((resolve) => setImmediate(resolve));
      return world.createRuns(
        batch.map((run, index) =>
          free[index] ? { ...run, workflow: `${run.workflow}\u0000${run.runId}` } : run,
        ),
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
  bug("start-once", "another fingerprint is no mismatch", ({ world }) => ({
    async createRuns(batch, now) {
      const results = await world.createRuns(batch, now);
      return results.map((result) =>
        result.outcome === "mismatch" ? { outcome: "exists", run: result.run } : result,
      );
    },
  })),
  bug("start-once", "the first lease is not taken with the run", ({ world }) => ({
    createRuns: (batch, now) =>
      world.createRuns(
        batch.map((run) => ({ ...run, lease: null })),
        now,
      ),
  })),

  bug("start-keys", "a key does not end", ({ world }) => ({
    createRuns: (batch, now) =>
      world.createRuns(
        batch.map((run) => ({ ...run, startKey: run.startKey && { ...run.startKey, expiresAt: null } })),
        now,
      ),
  })),
  bug("start-keys", "a key ends with its run", (planted) => ({
    createRuns(batch, now) {
      for (const { workflow, startKey } of batch) {
        const holder = startKey && planted.state.keyHolder(workflow, startKey.key);
        if (holder && holder.row.dueAt === null) planted.state.deleteRun(holder);
      }
      return planted.world.createRuns(batch, now);
    },
  })),
  bug("start-keys", "a key ends at its time though its run goes on", ({ world, state }) => ({
    createRuns: (batch, now) =>
      world.createRuns(
        batch.map((run) => {
          const holder = run.startKey && state.keyHolder(run.workflow, run.startKey.key);
          const expired = holder?.startKey && (holder.startKey.expiresAt ?? now + 1) <= now;
          return expired ? { ...run, startKey: null } : run;
        }),
        now,
      ),
  })),
];
