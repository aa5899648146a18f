import { WorldError } from "@perdure/core/errors";
import type { JournalEvent, World } from "@perdure/core/world";
import { type Bug, bug, stored } from "./bug.ts";

export const readBugs: readonly Bug[] = [
  bug("journal", "events of one commit are in the other order", ({ world }) => ({
    commit: (batch, now) =>
      world.commit(
        batch.map((commit) => ({ ...commit, events: [...commit.events].reverse() })),
        now,
      ),
  })),
  bug("journal", "a page begins with the event before it", ({ world }) => ({
    listEvents: (runId, after, limit) => world.listEvents(runId, Math.max(0, after - 1), limit),
  })),
  bug("journal", "a journal has a gap", (planted) => ({
    async commit(batch, now) {
      const results = await planted.world.commit(batch, now);
      for (const { runId } of batch) {
        const journal = stored(planted, runId)?.journal ?? [];
        const last = journal.at(-1);
        if (last && journal.length > 9) journal[journal.length - 1] = { ...last, seq: last.seq + 1 };
      }
      return results;
    },
  })),
  bug("journal", "a missing name is read as an empty one", ({ world }) => ({
    async listEvents(runId, after, limit) {
      const events = await world.listEvents(runId, after, limit);
      return events.map((event): JournalEvent => ({ ...event, name: event.name ?? "" }));
    },
  })),

  bug("reads", "unknown runs are left out", ({ world }) => ({
    getRuns: async (runIds) => (await world.getRuns(runIds)).filter((row) => row !== null),
  })),
  bug("reads", "pages are counted, not anchored", ({ world }) => ({
    async listRuns({ cursor, ...query }) {
      const from = Number(cursor ?? 0);
      const { runs } = await world.listRuns({ ...query, limit: from + query.limit + 1 });
      const page = runs.slice(from, from + query.limit);
      return { runs: page, cursor: runs.length > from + query.limit ? String(from + query.limit) : null };
    },
  })),
  bug("reads", "the page is cut before it is filtered", ({ world }) => ({
    async listRuns({ status, ...query }) {
      const page = await world.listRuns(query);
      const runs = page.runs.filter((run) => status === undefined || run.status === status);
      return { runs, cursor: runs.length === 0 ? null : page.cursor };
    },
  })),
  bug("reads", "hooks of all runs are listed", ({ world }) => ({
    listHooks: ({ runId: _, ...query }) => world.listHooks(query),
  })),
  bug("reads", "the last page is not reached", ({ world }) => ({
    async listHooks(query) {
      const page = await world.listHooks(query);
      return page.hooks.length < query.limit ? { hooks: [], cursor: null } : page;
    },
  })),
  bug("reads", "mail is listed in the order of the run ids", ({ world }) => ({
    listMail: (runs) => world.listMail(runs.toSorted((a, b) => (a.runId < b.runId ? -1 : 1))),
  })),

  bug("values", "tokens are compared without case", ({ world }) =>
    tokens(world, (token) => token.toLowerCase()),
  ),
  bug("values", "tokens end at NUL", ({ world }) => tokens(world, (token) => token.split("\u0000")[0] ?? "")),
  bug("values", "tokens are normalized", ({ world }) => tokens(world, (token) => token.normalize("NFC"))),
  bug("values", "tokens are cut", ({ world }) => tokens(world, (token) => token.slice(0, 254))),
  bug("values", "no bytes are no value", ({ world }) => ({
    async listEvents(runId, after, limit) {
      const events = await world.listEvents(runId, after, limit);
      return events.map(
        (event): JournalEvent => ({ ...event, data: event.data?.length ? event.data : null }),
      );
    },
  })),
  bug("values", "large values are refused", ({ world }) => ({
    async commit(batch, now) {
      const size = batch
        .flatMap(({ events }) => events)
        .reduce((sum, { data }) => sum + (data?.length ?? 0), 0);
      if (size > 4_000_000) throw new WorldError("the message is too large");
      return world.commit(batch, now);
    },
  })),
  bug("values", "bytes are the caller's own", ({ world, state }) => ({
    async deliver(batch, now) {
      const results = await world.deliver(batch, now);
      for (const { messageId, data } of batch) {
        for (const { mailbox } of state.runs.values()) {
          const index = mailbox.findIndex((mail) => mail.messageId === messageId);
          const mail = mailbox[index];
          if (mail) mailbox[index] = { ...mail, data };
        }
      }
      return results;
    },
  })),

  bug("retention", "younger runs are deleted too", ({ world }) => ({
    deleteRuns: (request) => world.deleteRuns({ ...request, completedBefore: request.completedBefore + 1 }),
  })),
  bug("retention", "live runs are deleted too", (planted) => ({
    async deleteRuns(request) {
      const deleted = await planted.world.deleteRuns(request);
      for (const run of planted.state.runs.values()) if (run.row.owner !== null) planted.state.deleteRun(run);
      return deleted;
    },
  })),
  bug("retention", "the limit is not looked at", ({ world }) => ({
    deleteRuns: (request) => world.deleteRuns({ ...request, limit: 1_000 }),
  })),
  bug("retention", "message ids are left behind", (planted) => ({
    async deleteRuns(request) {
      const messages = [...planted.state.messages];
      const deleted = await planted.world.deleteRuns(request);
      for (const [messageId, place] of messages) planted.state.messages.set(messageId, place);
      return deleted;
    },
  })),
];

function tokens(world: World, fold: (token: string) => string): Partial<World> {
  return {
    getHookByToken: (token) => world.getHookByToken(fold(token)),
    commit: (batch, now) =>
      world.commit(
        batch.map((commit) => ({
          ...commit,
          events: commit.events.map((event) =>
            event.type === "hook_created" ? { ...event, name: fold(event.name ?? "") } : event,
          ),
        })),
        now,
      ),
    deliver: (batch, now) =>
      world.deliver(
        batch.map(({ to, ...message }) => ({
          ...message,
          to: "token" in to ? { token: fold(to.token) } : to,
        })),
        now,
      ),
  };
}
