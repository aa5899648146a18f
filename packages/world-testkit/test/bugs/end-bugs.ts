import { endsRun, isTerminal, type RunRecord } from "@perdure/core/world";
import type { Planted } from "../memory-target.ts";
import { type Bug, bug, committing, delivering, gap, stored } from "./bug.ts";

let renamed = 0;

/** Bugs about the end of a run: its end mail, and the work that is left to do after it. */
export const endBugs: readonly Bug[] = [
  bug("end-mail", "end mail is mail like any other", ({ world }) =>
    delivering(world, ({ atEnd: _, ...message }) => message),
  ),
  bug("end-mail", "end mail is listed with the mail", ({ world }) => ({
    listMail: async (runs) => {
      const lists = await world.listMail(runs);
      return Promise.all(
        lists.map(async (list, index) => [
          ...list,
          ...(await world.listEndMail(runs[index]?.runId ?? "", 0, 100)),
        ]),
      );
    },
  })),
  bug("end-mail", "a claim brings end mail", (planted) => ({
    async claim(request) {
      const result = await planted.world.claim(request);
      const runs = result.runs.map((claimed) => {
        const more = stored(planted, claimed.run.runId)?.endMail ?? [];
        return { ...claimed, mail: [...claimed.mail, ...more] };
      });
      return { ...result, runs };
    },
  })),
  bug("end-mail", "end mail wakes the run", (planted) => ({
    async deliver(batch, now) {
      const results = await planted.world.deliver(batch, now);
      for (const [index, { atEnd }] of batch.entries()) {
        const result = results[index];
        const run = result?.outcome === "delivered" ? stored(planted, result.runId) : undefined;
        if (atEnd && run?.row.owner === null && !isTerminal(run.row.status)) {
          planted.state.setRow(run, { dueAt: now });
        }
      }
      return results;
    },
  })),
  bug("end-mail", "a run that goes on does not park over end mail", (planted) =>
    afterCommit(planted, (row, now) =>
      row.owner === null && !isTerminal(row.status) && row.endSeq > row.endDone ? { dueAt: now } : {},
    ),
  ),
  bug("end-mail", "a run that has ended parks over end mail", (planted) => ({
    async commit(batch, now) {
      const results = await planted.world.commit(batch, now);
      for (const { runId, lease } of batch) {
        const run = stored(planted, runId);
        if (
          run &&
          isTerminal(run.row.status) &&
          lease.type === "park" &&
          run.row.mailSeq === run.row.mailDone
        ) {
          planted.state.setRow(run, { dueAt: lease.dueAt });
        }
      }
      return results;
    },
  })),
  bug("end-mail", "a commit does not tell of end mail", ({ world }) => ({
    async commit(batch, now) {
      const results = await world.commit(batch, now);
      return results.map((result) => (result.outcome === "committed" ? { ...result, endSeq: 0 } : result));
    },
  })),
  bug("end-mail", "consumed end mail is not listed", (planted) => ({
    listEndMail: (runId, after, limit) =>
      planted.world.listEndMail(runId, Math.max(after, stored(planted, runId)?.row.endDone ?? 0), limit),
  })),
  bug("end-mail", "the limit of end mail is not looked at", ({ world }) => ({
    listEndMail: (runId, after) => world.listEndMail(runId, after, 1_000),
  })),
  bug("end-mail", "end mail is not consumed", ({ world }) =>
    committing(world, ({ run: { endDone: _, ...run }, ...commit }) => ({ ...commit, run })),
  ),
  bug("end-mail", "consumed end mail comes back with a late commit", (planted) => ({
    async commit(batch, now) {
      const results = await planted.world.commit(batch, now);
      for (const { runId, run: patch } of batch) {
        const run = stored(planted, runId);
        if (run && patch.endDone !== undefined) planted.state.setRow(run, { endDone: patch.endDone });
      }
      return results;
    },
  })),
  bug("end-mail", "the same end mail twice is two messages", ({ world }) =>
    delivering(world, (message) =>
      message.atEnd ? { ...message, messageId: `${message.messageId} ${renamed++}` } : message,
    ),
  ),
  ...(["end-mail", "after-end"] as const).map((law) =>
    bug(law, "a delivery that saw the run before its end comes after it", (planted) => ({
      async deliver(batch, now) {
        const before = new Map(
          batch.flatMap(({ to }) => {
            const row = "runId" in to ? stored(planted, to.runId)?.row : undefined;
            return row ? [[row.runId, row.status] as const] : [];
          }),
        );
        await gap();
        for (const [runId, status] of before) {
          const run = stored(planted, runId);
          if (run) run.row = { ...run.row, status };
        }
        const results = await planted.world.deliver(batch, now);
        for (const runId of before.keys()) {
          const run = stored(planted, runId);
          if (run && run.row.completedAt !== null) {
            run.row = { ...run.row, status: "completed" };
            planted.state.setRow(run, { dueAt: null });
          }
        }
        return results;
      },
    })),
  ),
  bug("end-mail", "a restart empties the end mail", (planted) => ({
    async commit(batch, now) {
      for (const { runId, restart } of batch) {
        const run = restart ? stored(planted, runId) : undefined;
        if (run) run.endMail.length = 0;
      }
      return planted.world.commit(batch, now);
    },
  })),

  bug("after-end", "a run that ends gives its lease back", ({ world }) =>
    committing(world, (commit) =>
      endsRun(commit) ? { ...commit, lease: { type: "park", dueAt: null } } : commit,
    ),
  ),
  bug("after-end", "a run that has ended is never due", (planted) =>
    afterCommit(planted, (row) => (isTerminal(row.status) && row.owner === null ? { dueAt: null } : {})),
  ),
  bug("after-end", "a run that has ended is not claimed by its id", (planted) => ({
    claim: ({ runIds, ...request }) =>
      planted.world.claim({
        ...request,
        ...(runIds && {
          runIds: runIds.filter((runId) => stored(planted, runId)?.row.completedAt === null),
        }),
      }),
  })),
  bug("after-end", "the next due time is that of runs that go on", ({ world, state }) => ({
    async claim(request) {
      const result = await world.claim(request);
      const dues = [...state.runs.values()].flatMap(({ row }) =>
        row.dueAt === null || isTerminal(row.status) ? [] : [row.dueAt],
      );
      return { ...result, nextDueAt: dues.length === 0 ? null : Math.min(...dues) };
    },
  })),
  bug("after-end", "its lease is not renewed", (planted) => ({
    async renew(request) {
      const results = await planted.world.renew(request);
      return results.map((result, index) => {
        const row = stored(planted, request.leases[index]?.runId ?? "")?.row;
        return row && isTerminal(row.status) ? { outcome: "lost" } : result;
      });
    },
  })),
  bug("after-end", "commits without events are refused", (planted) => ({
    async commit(batch, now) {
      const over = batch.map(({ runId }) => stored(planted, runId)?.row.completedAt ?? null);
      const kept = batch.filter((_, index) => over[index] === null);
      const results = [...(await planted.world.commit(kept, now))];
      return over.map((at) =>
        at === null ? (results.shift() ?? { outcome: "fenced" }) : { outcome: "finished" },
      );
    },
  })),
  bug("after-end", "commits with events are taken", (planted) =>
    committing(planted.world, (commit) => {
      const run = stored(planted, commit.runId);
      if (run && run.row.owner !== null && isTerminal(run.row.status)) {
        planted.state.setRow(run, { status: "running" });
      }
      return commit;
    }),
  ),
  bug("after-end", "who lost the lease writes without events", (planted) =>
    committing(planted.world, (commit) => {
      const row = stored(planted, commit.runId)?.row;
      if (row === undefined || !isTerminal(row.status) || commit.events.length > 0) return commit;
      return { ...commit, epoch: row.epoch, claimId: row.claimId ?? "" };
    }),
  ),
  bug("after-end", "who lost the lease is told as fenced", (planted) => ({
    async commit(batch, now) {
      const results = await planted.world.commit(batch, now);
      return results.map((result, index) => {
        const row = stored(planted, batch[index]?.runId ?? "")?.row;
        return result.outcome === "finished" && row?.owner ? { outcome: "fenced" } : result;
      });
    },
  })),
  bug("after-end", "mail is taken while there is work left", (planted) => ({
    async deliver(batch, now) {
      const over = [...planted.state.runs.values()].filter(
        ({ row }) => row.completedAt !== null && row.dueAt !== null,
      );
      const rows = over.map((run) => ({ run, status: run.row.status }));
      for (const { run } of rows) run.row = { ...run.row, status: "running" };
      const results = await planted.world.deliver(batch, now);
      for (const { run, status } of rows) run.row = { ...run.row, status };
      return results;
    },
  })),
  bug("after-end", "a run is deleted though it has work left", (planted) => ({
    deleteRuns(runIds) {
      for (const runId of runIds) {
        const run = stored(planted, runId);
        if (run && isTerminal(run.row.status)) planted.state.setRow(run, { owner: null, dueAt: null });
      }
      return planted.world.deleteRuns(runIds);
    },
  })),
  bug("after-end", "a run that ends parks over its mail", (planted) => ({
    async commit(batch, now) {
      const results = await planted.world.commit(batch, now);
      for (const commit of batch) {
        const run = stored(planted, commit.runId);
        if (run && endsRun(commit) && commit.lease.type === "park" && run.row.endSeq === 0) {
          planted.state.setRow(run, { dueAt: commit.lease.dueAt });
        }
      }
      return results;
    },
  })),
  bug("after-end", "a name passes only from a run without work", (planted) => ({
    createRuns: (batch, now) =>
      planted.world.createRuns(
        batch.map((run) => ({
          ...run,
          names: run.names.map((claim) => ({
            ...claim,
            from: stored(planted, claim.from ?? "")?.row.dueAt === null ? claim.from : null,
          })),
        })),
        now,
      ),
  })),
];

/** Changes the rows of a batch after it was written. */
function afterCommit(
  planted: Planted,
  change: (row: RunRecord, now: number) => Partial<RunRecord>,
): Pick<Planted["world"], "commit"> {
  return {
    async commit(batch, now) {
      const results = await planted.world.commit(batch, now);
      for (const { runId } of batch) {
        const run = stored(planted, runId);
        if (run) planted.state.setRow(run, change(run.row, now));
      }
      return results;
    },
  };
}
