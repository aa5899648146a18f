import type { JournalEvent, Mail } from "@perdure/core/world";
import { type Bug, bug, committing, gap, stored } from "./bug.ts";

/** The generations before, of runs that a bug has not deleted them of. */
const before = new Map<string, readonly JournalEvent[]>();

export const restartBugs: readonly Bug[] = [
  bug("restart", "the old events are read for a while", (planted) => ({
    async commit(batch, now) {
      const olds = batch.map(({ runId }) => [runId, [...(stored(planted, runId)?.journal ?? [])]] as const);
      const results = await planted.world.commit(batch, now);
      for (const [index, [runId, old]] of olds.entries()) {
        if (batch[index]?.restart && results[index]?.outcome === "committed") before.set(runId, old);
      }
      await gap();
      for (const [runId] of olds) before.delete(runId);
      return results;
    },
    async listEvents(runId, after, limit) {
      const events = await planted.world.listEvents(runId, after, limit);
      return [...(before.get(runId) ?? []).filter(({ seq }) => seq > after), ...events].slice(0, limit);
    },
  })),
  bug("restart", "the old events come with a claim", (planted) => ({
    async commit(batch, now) {
      for (const { runId, restart } of batch) {
        if (restart) before.set(runId, [...(stored(planted, runId)?.journal ?? [])]);
      }
      return planted.world.commit(batch, now);
    },
    async claim(request) {
      const result = await planted.world.claim(request);
      const runs = result.runs.map((claimed) => ({
        ...claimed,
        events: [...(before.get(claimed.run.runId) ?? []), ...claimed.events].slice(0, request.eventLimit),
      }));
      return { ...result, runs };
    },
  })),
  bug("restart", "generations are not counted", (planted) => ({
    async commit(batch, now) {
      const results = await planted.world.commit(batch, now);
      for (const { runId, restart } of batch) {
        const run = restart ? stored(planted, runId) : undefined;
        if (run) planted.state.setRow(run, { generation: 1 });
      }
      return results;
    },
  })),
  bug("restart", "bytes go on counting", (planted) => ({
    async commit(batch, now) {
      const bytes = batch.map(({ runId }) => stored(planted, runId)?.row.bytes ?? 0);
      const results = await planted.world.commit(batch, now);
      for (const [index, { runId, restart }] of batch.entries()) {
        const run = restart ? stored(planted, runId) : undefined;
        if (run) planted.state.setRow(run, { bytes: run.row.bytes + (bytes[index] ?? 0) });
      }
      return results;
    },
  })),
  bug("restart", "one that is sent again begins one more generation", (planted) => ({
    async commit(batch, now) {
      const known = batch.map(({ runId, seq }) => (stored(planted, runId)?.row.seq ?? seq) > seq);
      const results = await planted.world.commit(batch, now);
      for (const [index, { runId, restart }] of batch.entries()) {
        const run = restart && known[index] ? stored(planted, runId) : undefined;
        if (run) planted.state.setRow(run, { generation: run.row.generation + 1 });
      }
      return results;
    },
  })),
  bug("restart", "a refused one empties the journal", (planted) => ({
    commit(batch, now) {
      for (const { runId, restart } of batch) {
        const run = restart ? stored(planted, runId) : undefined;
        if (run === undefined) continue;
        run.journal.length = 0;
        run.row = { ...run.row, firstSeq: run.row.seq + 1 };
      }
      return planted.world.commit(batch, now);
    },
  })),
  bug("restart", "names end with their generation", (planted) =>
    committing(planted.world, (commit) => {
      const run = commit.restart ? stored(planted, commit.runId) : undefined;
      if (run) planted.state.names.releaseAll(run);
      return commit;
    }),
  ),
  bug("restart", "ids of names are those of their generation", (planted) =>
    committing(planted.world, (commit) => {
      const { firstSeq = 1, generation } = stored(planted, commit.runId)?.row ?? {};
      if (generation === 0 || firstSeq === 1) return commit;
      return { ...commit, events: commit.events.map(({ release: _, ...event }) => event) };
    }),
  ),
  bug("restart", "mail that nobody has read is lost", (planted) => ({
    async listMail(runs) {
      const lists = await planted.world.listMail(runs);
      const lost = (list: readonly Mail[], index: number) =>
        (stored(planted, runs[index]?.runId ?? "")?.row.generation ?? 0) > 0 ? [] : list;
      return lists.map(lost);
    },
  })),
  bug("restart", "messages consumed before are forgotten at once", (planted) => ({
    async commit(batch, now) {
      const results = await planted.world.commit(batch, now);
      for (const { runId, restart, mailDone } of batch) {
        for (const { messageId, mailSeq } of (restart && stored(planted, runId)?.mailbox) || []) {
          if (mailSeq <= mailDone) planted.state.messages.delete(messageId);
        }
      }
      return results;
    },
  })),
  bug("restart", "who has a generation before in memory gets no events", (planted) => ({
    claim: (request) =>
      planted.world.claim({
        ...request,
        cached: new Map(
          [...request.cached].map(([runId, copy]) => {
            const { seq = 0, claimId, generation = 0 } = stored(planted, runId)?.row ?? {};
            return [runId, generation > 0 ? { claimId: claimId ?? "", seq } : copy];
          }),
        ),
      }),
  })),
  bug("restart", "old generations are left behind when their run is deleted", (planted) => ({
    async commit(batch, now) {
      for (const { runId, restart } of batch) {
        const old = restart ? (stored(planted, runId)?.journal ?? []) : [];
        if (restart) before.set(runId, [...(before.get(runId) ?? []), ...old]);
      }
      return planted.world.commit(batch, now);
    },
    async listEvents(runId, after, limit) {
      const events = await planted.world.listEvents(runId, after, limit);
      const firstSeq = stored(planted, runId)?.row.firstSeq ?? 1;
      const kept = (before.get(runId) ?? []).filter(({ seq }) => seq >= firstSeq && seq > after);
      const all = new Map([...events, ...kept].map((event) => [event.seq, event]));
      return [...all.values()].sort((a, b) => a.seq - b.seq).slice(0, limit);
    },
  })),

  bug("generations", "the ids of old messages stay for ever", ({ world, state }) => ({
    async commit(batch, now) {
      const known = [...state.messages];
      const results = await world.commit(batch, now);
      for (const [messageId, place] of known) state.messages.set(messageId, place);
      return results;
    },
  })),
  bug("generations", "the last generation's messages are the only ones known", (planted) => ({
    async commit(batch, now) {
      const results = await planted.world.commit(batch, now);
      for (const { runId, restart } of batch) {
        const messages = (restart && stored(planted, runId)?.mailbox) || [];
        for (const { messageId } of messages.slice(0, -1)) planted.state.messages.delete(messageId);
      }
      return results;
    },
  })),
];
