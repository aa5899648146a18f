import { type Bug, bug, stored } from "./bug.ts";

// Verbs in two store operations: what is looked at in the first has changed by the second.

export const interleavingBugs: readonly Bug[] = [
  bug(
    "interleavings",
    "a start looks its names up first and takes them later",
    ({ world, state, operation }) => ({
      async createRuns(batch, now) {
        const names = batch.flatMap((run) => run.names.map(({ name }) => name));
        const free = names.filter((name) => state.names.get(name, now) === null);
        await operation("take names");
        for (const name of free) {
          const held = state.names.get(name, now);
          const run = held && state.runs.get(held.runId);
          if (held && run) state.names.release(run, held.id);
        }
        return world.createRuns(batch, now);
      },
    }),
  ),
  bug(
    "interleavings",
    "a delivery looks the name up first and writes to the run later",
    ({ world, state, operation }) => ({
      async deliver(batch, now) {
        const found = batch.map(({ to }) => ("name" in to ? state.names.get(to.name, now) : null));
        await operation("write to mailboxes");
        const results = await world.deliver(batch, now);
        return results.map((result, index) => {
          const held = found[index];
          return held && result.outcome === "no_such_name"
            ? { outcome: "delivered", runId: held.runId, id: held.id }
            : result;
        });
      },
    }),
  ),
  bug("interleavings", "a commit looks for mail first and parks later", (planted) => ({
    async commit(batch, now) {
      const unread = batch.map(
        ({ runId, mailDone }) => (stored(planted, runId)?.row.mailSeq ?? 0) > mailDone,
      );
      await planted.operation("park");
      const results = await planted.world.commit(batch, now);
      for (const [index, { runId, lease }] of batch.entries()) {
        const run = stored(planted, runId);
        const parks = results[index]?.outcome === "committed" && lease.type === "park" && !unread[index];
        if (run && parks && run.row.owner === null) planted.state.setRow(run, { dueAt: lease.dueAt });
      }
      return results;
    },
  })),
  bug("interleavings", "end mail is answered for a run that has ended since", (planted) => ({
    async deliver(batch, now) {
      const goesOn = batch.map(
        ({ to }) => "runId" in to && stored(planted, to.runId)?.row.status !== "completed",
      );
      await planted.operation("write to mailboxes");
      const results = await planted.world.deliver(batch, now);
      return results.map((result, index) =>
        goesOn[index] && result.outcome === "finished"
          ? { outcome: "delivered", runId: result.runId, id: null }
          : result,
      );
    },
  })),
  bug(
    "interleavings",
    "a version is looked at first and written over later",
    ({ world, state, operation }) => ({
      async writeRecords(batch, now) {
        const versionOf = (key: string) => state.records.get(key, now)?.version ?? null;
        const fits = batch.map(({ key, ifVersion }) => versionOf(key) === ifVersion);
        await operation("write records");
        return world.writeRecords(
          batch.map((write, index) => (fits[index] ? { ...write, ifVersion: versionOf(write.key) } : write)),
          now,
        );
      },
    }),
  ),
  bug(
    "interleavings",
    "a name is taken over before the other names are looked at",
    ({ world, state, operation }) => ({
      async createRuns(batch, now) {
        for (const claim of batch.flatMap(({ names }) => names)) {
          const old = claim.from === null ? undefined : state.runs.get(claim.from);
          const held = state.names.get(claim.name, now);
          if (old && held?.runId === old.row.runId) state.names.release(old, held.id);
        }
        await operation("look at the other names");
        return world.createRuns(batch, now);
      },
    }),
  ),
];
