import type { MemoryState } from "@perdure/core/testing";
import type { Attributes, JournalEvent, World } from "@perdure/core/world";
import { type Bug, bug, starting, stored } from "./bug.ts";

/** What each store has of runs that were deleted. */
const leftBehind = new WeakMap<MemoryState, Map<string, Attributes>>();

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
  bug("reads", "mail is listed in the order of the run ids", ({ world }) => ({
    listMail: (runs) => world.listMail(runs.toSorted((a, b) => (a.runId < b.runId ? -1 : 1))),
  })),

  bug("values", "names are compared without case", ({ world }) => names(world, (name) => name.toLowerCase())),
  bug("values", "names end at NUL", ({ world }) => names(world, (name) => name.split("\u0000")[0] ?? "")),
  bug("values", "names are normalized", ({ world }) => names(world, (name) => name.normalize("NFC"))),
  bug("values", "halves of surrogate pairs are replaced", ({ world }) =>
    names(world, (name) => name.replace(/\p{Surrogate}/gu, "\ufffd")),
  ),
  bug("values", "names are cut", ({ world }) => names(world, (name) => name.slice(0, 254))),
  bug("values", "no bytes are no value", ({ world }) => ({
    async listEvents(runId, after, limit) {
      const events = await world.listEvents(runId, after, limit);
      return events.map(
        (event): JournalEvent => ({ ...event, data: event.data?.length ? event.data : null }),
      );
    },
  })),
  bug("values", "large values are cut", ({ world }) => ({
    commit: (batch, now) =>
      world.commit(
        batch.map((commit) => ({
          ...commit,
          events: commit.events.map((event) => ({ ...event, data: event.data?.slice(0, 4_000_000) ?? null })),
        })),
        now,
      ),
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

  bug("retention", "live runs are deleted too", (planted) => ({
    async deleteRuns(runIds) {
      const deleted = await planted.world.deleteRuns(runIds);
      for (const run of planted.state.runs.values()) if (run.row.owner !== null) planted.state.deleteRun(run);
      return deleted;
    },
  })),
  bug("retention", "what was not deleted is counted too", ({ world }) => ({
    deleteRuns: async (runIds) => Math.max(await world.deleteRuns(runIds), runIds.length),
  })),
  bug("retention", "only the first hundred are deleted", ({ world }) => ({
    deleteRuns: (runIds) => world.deleteRuns(runIds.slice(0, 100)),
  })),
  bug("retention", "attributes are left behind", ({ world, state }) => ({
    ...starting(world, (run) => ({
      ...run,
      attributes: leftBehind.get(state)?.get(run.runId) ?? run.attributes,
    })),
    async deleteRuns(runIds) {
      const rows = await world.getRuns(runIds);
      const left = leftBehind.get(state) ?? new Map<string, Attributes>();
      for (const row of rows) if (row !== null) left.set(row.runId, row.attributes);
      leftBehind.set(state, left);
      return world.deleteRuns(runIds);
    },
  })),
  bug("retention", "message ids are left behind", (planted) => ({
    async deleteRuns(runIds) {
      const messages = [...planted.state.messages];
      const deleted = await planted.world.deleteRuns(runIds);
      for (const [messageId, place] of messages) planted.state.messages.set(messageId, place);
      return deleted;
    },
  })),
];

function names(world: World, fold: (name: string) => string): Partial<World> {
  return {
    getNames: (names, now) => world.getNames(names.map(fold), now),
    commit: (batch, now) =>
      world.commit(
        batch.map((commit) => ({
          ...commit,
          events: commit.events.map((event) =>
            event.claim === undefined
              ? event
              : { ...event, claim: { ...event.claim, name: fold(event.claim.name) } },
          ),
        })),
        now,
      ),
    deliver: (batch, now) =>
      world.deliver(
        batch.map(({ to, ...message }) => ({
          ...message,
          to: "name" in to ? { name: fold(to.name) } : to,
        })),
        now,
      ),
  };
}
