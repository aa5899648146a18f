import { firstClaim } from "../../src/requests.ts";
import { type Bug, bug, gap, starting, stored } from "./bug.ts";

export const startBugs: readonly Bug[] = [
  bug("open", "opening a store again empties it", ({ world, state }) => ({
    async open() {
      await world.open();
      for (const run of [...state.runs.values()]) state.deleteRun(run);
    },
  })),
  bug("open", "settings show a password", () => ({
    describe: () => ({ url: "redis://perdure:s3cret@localhost:6379" }),
  })),
  bug("open", "closing releases the leases", ({ state }) => ({
    async close() {
      for (const run of state.runs.values()) state.setRow(run, { owner: null, dueAt: 0 });
    },
  })),

  bug("open", "the verbs of streams do nothing where there are none", ({ world }) => ({
    capabilities: { ...world.capabilities, streams: false },
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
  bug("start-once", "the names of a run are there before the run", ({ world, state }) => ({
    async createRuns(batch, now) {
      const [ghost] = [...state.runs.values()];
      const free = batch.flatMap(({ runId, names }) => {
        const able =
          ghost && names.length > 1 && names.every(({ name }) => state.names.get(name, now) === null);
        return able ? [{ run: { ...ghost, row: { ...ghost.row, runId }, names: new Map() }, names }] : [];
      });
      for (const { run, names } of free) for (const claim of names) state.names.take(run, claim, now);
      await gap();
      for (const { run } of free) state.names.releaseAll(run);
      return world.createRuns(batch, now);
    },
  })),
  bug("start-once", "the mail of a run is put in after it is made", ({ world }) => ({
    async createRuns(batch, now) {
      const results = await world.createRuns(
        batch.map((run) => ({ ...run, mail: [] })),
        now,
      );
      await gap();
      const sends = batch.flatMap(({ runId, mail }) =>
        mail.map(({ id, ...message }) => ({ ...message, to: { runId, id } })),
      );
      await world.deliver(sends, now);
      return results;
    },
  })),
  bug("start-once", "a key is held by one run", ({ world }) =>
    starting(world, (run) => {
      const key = run.idempotencyKey;
      return key === null ? run : { ...run, names: [...run.names, firstClaim(key)] };
    }),
  ),
  bug("start-once", "only the first event is written", (planted) => ({
    async createRuns(batch, now) {
      const results = await planted.world.createRuns(batch, now);
      for (const { runId } of batch) {
        const run = stored(planted, runId);
        if (run === undefined || run.journal.length <= 1) continue;
        run.journal.length = 1;
        planted.state.setRow(run, { seq: 1 });
      }
      return results;
    },
  })),
  bug("start-once", "a run was created when its last event was", ({ world, state }) => ({
    async createRuns(batch, now) {
      const results = await world.createRuns(batch, now);
      for (const { runId, events } of batch) {
        const run = state.runs.get(runId);
        if (run) state.setRow(run, { createdAt: events.at(-1)?.at ?? now });
      }
      return results;
    },
  })),
];
