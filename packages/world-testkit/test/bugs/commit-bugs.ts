import { memoryWorld } from "@perdure/core/testing";
import { endsRun, type RunCommit, type World } from "@perdure/core/world";
import type { Planted } from "../memory-target.ts";
import { type Bug, bug, gap, stored } from "./bug.ts";

export const commitBugs: readonly Bug[] = [
  bug("commit-fenced", "the epoch is not looked at", (planted) =>
    rewriting(planted, (commit, row) => ({
      ...commit,
      epoch: row?.epoch ?? commit.epoch,
      claimId: row?.claimId ?? commit.claimId,
    })),
  ),
  bug("commit-fenced", "the claim id is not looked at", (planted) =>
    rewriting(planted, (commit, row) => ({
      ...commit,
      claimId: row?.epoch === commit.epoch ? (row.claimId ?? "") : commit.claimId,
    })),
  ),
  bug("commit-fenced", "a released lease can still write", (planted) => ({
    commit(batch, now) {
      for (const { runId } of batch) {
        const run = stored(planted, runId);
        if (run?.row.owner === null && run.row.completedAt === null)
          planted.state.setRow(run, { owner: "zombie" });
      }
      return planted.world.commit(batch, now);
    },
  })),
  bug("commit-fenced", "an ended run can still be written", (planted) => ({
    commit(batch, now) {
      for (const { runId, seq } of batch) {
        const run = stored(planted, runId);
        if (run && run.row.completedAt !== null && run.row.seq === seq) {
          planted.state.setRow(run, { status: "pending", owner: "zombie" });
        }
      }
      return planted.world.commit(batch, now);
    },
  })),
  bug("commit-fenced", "the length of the journal is not looked at", (planted) =>
    rewriting(planted, (commit, row) => ({
      ...commit,
      seq: row === undefined || row.seq === commit.seq + commit.events.length ? commit.seq : row.seq,
    })),
  ),
  bug("commit-fenced", "a refused commit still moves the lease", (planted) => ({
    async commit(batch, now) {
      const results = await planted.world.commit(batch, now);
      for (const [index, { runId, lease }] of batch.entries()) {
        const run = stored(planted, runId);
        if (run && results[index]?.outcome === "fenced" && lease.type === "park") {
          planted.state.setRow(run, { dueAt: lease.dueAt });
        }
      }
      return results;
    },
  })),
  bug("commit-fenced", "a lease that ran out cannot commit", (planted) => ({
    async commit(batch, now) {
      const late = batch.some(({ runId }) => (stored(planted, runId)?.row.dueAt ?? now) < now);
      if (late) return batch.map(() => ({ outcome: "fenced" }));
      return planted.world.commit(batch, now);
    },
  })),

  bug("commit-once", "a commit sent again is written again", (planted) =>
    rewriting(planted, (commit, row) =>
      row && row.owner !== null && commit.events.length > 0 ? { ...commit, seq: row.seq } : commit,
    ),
  ),
  bug("commit-once", "a commit sent again is out of step", (planted) => ({
    async commit(batch, now) {
      const known = batch.map(({ runId, seq }) => (stored(planted, runId)?.row.seq ?? seq) > seq);
      const results = await planted.world.commit(batch, now);
      return results.map((result, index) => (known[index] ? { outcome: "out_of_step", seq: 0 } : result));
    },
  })),
  bug("commit-once", "a parking commit sent again parks again", (planted) => ({
    async commit(batch, now) {
      const results = await planted.world.commit(batch, now);
      for (const { runId, epoch, lease } of batch) {
        const run = stored(planted, runId);
        if (lease.type !== "park" || run?.row.epoch !== epoch || run.row.owner !== null) continue;
        const parkedBefore = run.row.dueAt !== now;
        if (parkedBefore) planted.state.setRow(run, { dueAt: lease.dueAt });
      }
      return results;
    },
  })),
  bug("commit-once", "consumed mail comes back with a late commit", (planted) => ({
    async commit(batch, now) {
      const results = await planted.world.commit(batch, now);
      for (const [index, { runId, mailDone }] of batch.entries()) {
        const run = stored(planted, runId);
        if (run && results[index]?.outcome === "committed") planted.state.setRow(run, { mailDone });
      }
      return results;
    },
  })),
  bug("commit-once", "the second answer forgets the conflicts", (planted) => ({
    async commit(batch, now) {
      const known = batch.map(({ runId, seq }) => (stored(planted, runId)?.row.seq ?? seq) > seq);
      const results = await planted.world.commit(batch, now);
      return results.map((result, index) =>
        known[index] && result.outcome === "committed" ? { ...result, conflicts: [] } : result,
      );
    },
  })),
  bug("commit-once", "a commit that finished, sent again, frees tokens of others", (planted) => ({
    async commit(batch, now) {
      const results = await planted.world.commit(batch, now);
      for (const commit of batch) {
        if (!endsRun(commit) || commit.events[0]?.release === undefined) continue;
        for (const run of planted.state.runs.values()) planted.state.names.release(run, "hook-2");
      }
      return results;
    },
  })),

  bug("commit-atomic", "one bad commit spoils its batch", (planted) => ({
    async commit(batch, now) {
      const bad = batch.some(({ runId, epoch, seq, events }) => {
        const row = stored(planted, runId)?.row;
        return row?.epoch !== epoch || (row.seq !== seq && row.seq !== seq + events.length);
      });
      return bad ? batch.map(() => ({ outcome: "fenced" })) : planted.world.commit(batch, now);
    },
  })),
  bug("commit-atomic", "the row is written before the journal", (planted) => ({
    async commit(batch, now) {
      for (const { runId, events } of batch) {
        const run = stored(planted, runId);
        if (run) planted.state.setRow(run, { seq: run.row.seq + events.length });
      }
      await gap();
      await gap();
      for (const { runId } of batch) {
        const run = stored(planted, runId);
        if (run) planted.state.setRow(run, { seq: run.journal.length });
      }
      return planted.world.commit(batch, now);
    },
  })),
  bug("commit-atomic", "fields that are not named are cleared", (planted) =>
    rewriting(planted, (commit) => ({ ...commit, run: { error: null, ...commit.run } })),
  ),
  bug("commit-atomic", "mail is not consumed", (planted) =>
    rewriting(planted, (commit, row) => ({ ...commit, mailDone: row?.mailDone ?? 0 })),
  ),
  bug("commit-atomic", "a finished run comes due again", (planted) => ({
    async commit(batch, now) {
      const results = await planted.world.commit(batch, now);
      for (const commit of batch) {
        const run = stored(planted, commit.runId);
        if (run && endsRun(commit)) planted.state.setRow(run, { dueAt: now + 1 });
      }
      return results;
    },
  })),
  bug("commit-atomic", "answers come in the order of the run ids", ({ world }) => ({
    commit: (batch, now) =>
      world.commit(
        batch.toSorted((a, b) => (a.runId < b.runId ? -1 : 1)),
        now,
      ),
  })),

  bug("park-over-mail", "a run parks over its mail", (planted) => ({
    async commit(batch, now) {
      const results = await planted.world.commit(batch, now);
      for (const [index, { runId, lease }] of batch.entries()) {
        const run = stored(planted, runId);
        if (run && lease.type === "park" && results[index]?.outcome === "committed") {
          planted.state.setRow(run, { dueAt: lease.dueAt });
        }
      }
      return results;
    },
  })),
  bug("park-over-mail", "a delivery looks for the lease first and wakes later", (planted) => ({
    async deliver(batch, now) {
      const held = new Set(
        [...planted.state.runs.values()].flatMap(({ row }) => (row.owner === null ? [] : [row.runId])),
      );
      await gap();
      const dues = new Map([...planted.state.runs.values()].map(({ row }) => [row.runId, row.dueAt]));
      const results = await planted.world.deliver(batch, now);
      for (const result of results) {
        const run = result.outcome === "delivered" ? stored(planted, result.runId) : undefined;
        if (run && held.has(run.row.runId))
          planted.state.setRow(run, { dueAt: dues.get(run.row.runId) ?? null });
      }
      return results;
    },
  })),
  bug("park-over-mail", "a commit brings consumed mail back", (planted) => ({
    async commit(batch, now) {
      const results = await planted.world.commit(batch, now);
      for (const { runId, mailDone } of batch) {
        const run = stored(planted, runId);
        if (run !== undefined) planted.state.setRow(run, { mailDone });
      }
      return results;
    },
  })),
  bug("park-over-mail", "a commit does not tell of new mail", ({ world }) => ({
    async commit(batch, now) {
      const results = await world.commit(batch, now);
      return results.map((result, index) =>
        result.outcome === "committed" ? { ...result, mailSeq: batch[index]?.mailDone ?? 0 } : result,
      );
    },
  })),

  bug("crash-points", "events are written first and the row in a second operation", (planted) => ({
    async commit(batch, now) {
      const runs = batch.map((commit) => ({ commit, run: stored(planted, commit.runId) }));
      const fit = runs.flatMap(({ commit, run }) =>
        run && run.row.epoch === commit.epoch && run.row.seq === commit.seq ? [{ commit, run }] : [],
      );
      for (const { commit, run } of fit) {
        run.journal.push(...commit.events.map((event, index) => ({ ...event, seq: commit.seq + index + 1 })));
      }
      await planted.operation("update rows");
      for (const { commit, run } of fit) run.journal.length -= commit.events.length;
      return planted.world.commit(batch, now);
    },
  })),
  bug("crash-points", "a message is written first and the row in a second operation", (planted) => ({
    async deliver(batch, now) {
      const rows = [...planted.state.runs.values()].map((run) => ({ run, row: run.row }));
      const results = await planted.world.deliver(batch, now);
      const after = rows.map(({ run }) => ({ run, row: run.row }));
      for (const { run, row } of rows) planted.state.setRow(run, row);
      await planted.operation("update rows");
      for (const { run, row } of after) planted.state.setRow(run, row);
      return results;
    },
  })),
  bug(
    "crash-points",
    "names are taken first and the run made in a second operation",
    ({ world, state, operation }) => ({
      async createRuns(batch, now) {
        const [ghost] = [...state.runs.values()];
        const free = batch.flatMap(({ runId, names }) => {
          const able =
            ghost && names.length > 0 && names.every(({ name }) => state.names.get(name, now) === null);
          return able ? [{ run: { ...ghost, row: { ...ghost.row, runId }, names: new Map() }, names }] : [];
        });
        for (const { run, names } of free) for (const claim of names) state.names.take(run, claim, now);
        await operation("make runs");
        for (const { run } of free) state.names.releaseAll(run);
        return world.createRuns(batch, now);
      },
    }),
  ),
  bug("crash-points", "first mail is put in by a second operation", ({ world, state, operation }) => ({
    async createRuns(batch, now) {
      const bare = batch.map((run) => ({ ...run, mail: [] }));
      const fresh = batch.filter(({ runId, mail }) => !state.runs.has(runId) && mail.length > 0);
      if (fresh.some(({ mail }) => mail.some(({ messageId }) => state.messages.has(messageId)))) {
        return world.createRuns(batch, now);
      }
      await world.createRuns(bare, now);
      await operation("put mail");
      for (const { runId } of fresh) {
        const run = state.runs.get(runId);
        if (run) state.deleteRun(run);
      }
      return world.createRuns(batch, now);
    },
  })),
  bug("crash-points", "the old journal is deleted before the new one is written", (planted) => ({
    async commit(batch, now) {
      const kept = batch.flatMap(({ runId, restart, seq, epoch }) => {
        const run = restart ? stored(planted, runId) : undefined;
        return run?.row.seq === seq && run.row.epoch === epoch ? [{ run, journal: [...run.journal] }] : [];
      });
      for (const { run } of kept) run.journal.length = 0;
      await planted.operation("write the next");
      for (const { run, journal } of kept) run.journal.push(...journal);
      return planted.world.commit(batch, now);
    },
  })),
  bug("crash-points", "names are taken first and the commit written in a second operation", (planted) => ({
    async commit(batch, now) {
      const { names } = planted.state;
      const free = batch.flatMap(({ runId, seq, events }) => {
        const run = stored(planted, runId);
        if (run?.row.seq !== seq) return [];
        const claims = events.flatMap(({ claim }) =>
          claim && names.get(claim.name, now) === null ? [claim] : [],
        );
        return claims.map((claim) => ({ run, claim }));
      });
      for (const { run, claim } of free) names.take(run, claim, now);
      await planted.operation("write the commits");
      for (const { run, claim } of free) names.release(run, claim.id);
      return planted.world.commit(batch, now);
    },
  })),
  bug("crash-points", "a renewal does not ask the probe", ({ state }) => ({
    renew: (request) => memoryWorld({ state }).renew(request),
  })),
  bug("crash-points", "a claim that died keeps its runs for ever", (planted) => ({
    async claim(request) {
      const dues = [...planted.state.runs.values()].map((run) => ({ run, dueAt: run.row.dueAt }));
      for (const { run } of dues) if (run.row.owner !== null) planted.state.setRow(run, { dueAt: null });
      await planted.operation("take");
      for (const { run, dueAt } of dues) planted.state.setRow(run, { dueAt });
      return planted.world.claim(request);
    },
  })),
];

/** A World that sends something else than it was asked for. */
function rewriting(
  planted: Planted,
  change: (commit: RunCommit, row: RunRow) => RunCommit,
): Pick<World, "commit"> {
  return {
    commit: (batch, now) =>
      planted.world.commit(
        batch.map((commit) => change(commit, stored(planted, commit.runId)?.row)),
        now,
      ),
  };
}

type RunRow = NonNullable<ReturnType<typeof stored>>["row"] | undefined;
