import { type Bug, bug, gap, stored } from "./bug.ts";

let renamed = 0;

export const mailboxBugs: readonly Bug[] = [
  bug("deliver", "a message wakes nobody", (planted) => ({
    async deliver(batch, now) {
      const dues = [...planted.state.runs.values()].map((run) => ({ run, dueAt: run.row.dueAt }));
      const results = await planted.world.deliver(batch, now);
      for (const { run, dueAt } of dues) planted.state.setRow(run, { dueAt });
      return results;
    },
  })),
  bug("deliver", "a message ends the lease", (planted) => ({
    async deliver(batch, now) {
      const results = await planted.world.deliver(batch, now);
      for (const result of results) {
        const run = result.outcome === "delivered" ? stored(planted, result.runId) : undefined;
        if (run && run.row.dueAt !== null) planted.state.setRow(run, { dueAt: now });
      }
      return results;
    },
  })),
  bug("deliver", "the same message twice is two messages", ({ world }) => ({
    deliver: (batch, now) =>
      world.deliver(
        batch.map((message) => ({ ...message, messageId: `${message.messageId} ${renamed++}` })),
        now,
      ),
  })),
  bug("deliver", "ids of consumed messages are forgotten", ({ world, state }) => ({
    deliver(batch, now) {
      for (const { row, mailbox } of state.runs.values()) {
        for (const { messageId, mailSeq } of mailbox) {
          if (mailSeq <= row.mailDone) state.messages.delete(messageId);
        }
      }
      return world.deliver(batch, now);
    },
  })),
  bug("deliver", "message ids are looked up by token", ({ world, state }) => ({
    async deliver(batch, now) {
      const results = await world.deliver(batch, now);
      return results.map((result, index) => {
        const to = batch[index]?.to;
        return to && "token" in to && !state.hooks.has(to.token) ? { outcome: "no_such_hook" } : result;
      });
    },
  })),
  bug("deliver", "mail numbers are read first and written later", ({ world, state }) => ({
    async deliver(batch, now) {
      const before = new Map([...state.runs.values()].map(({ row }) => [row.runId, row.mailSeq]));
      await gap();
      const results = await world.deliver(batch, now);
      for (const result of results) {
        const run = result.outcome === "delivered" ? state.runs.get(result.runId) : undefined;
        if (run) state.setRow(run, { mailSeq: (before.get(run.row.runId) ?? 0) + 1 });
      }
      return results;
    },
  })),
  bug("deliver", "an ended run is told as unknown", ({ world }) => ({
    async deliver(batch, now) {
      const results = await world.deliver(batch, now);
      return results.map((result) => (result.outcome === "finished" ? { outcome: "no_such_run" } : result));
    },
  })),

  bug("hook-tokens", "a token can be taken twice", (planted) => ({
    commit(batch, now) {
      for (const { events } of batch) {
        for (const { type, name } of events) {
          const hook = type === "hook_created" ? planted.state.hooks.get(name ?? "") : undefined;
          const run = hook && stored(planted, hook.runId);
          if (hook && run) planted.state.freeToken(run, hook.hookId);
        }
      }
      return planted.world.commit(batch, now);
    },
  })),
  bug("hook-tokens", "a disposed hook keeps its token", ({ world }) => ({
    commit: (batch, now) =>
      world.commit(
        batch.map((commit) => ({
          ...commit,
          events: commit.events.map((event) =>
            event.type === "hook_disposed" ? { ...event, id: null } : event,
          ),
        })),
        now,
      ),
  })),
  bug("hook-tokens", "an ended run keeps its tokens", ({ world, state }) => ({
    async commit(batch, now) {
      const hooks = [...state.hooks.values()];
      const results = await world.commit(batch, now);
      for (const { runId, lease } of batch) {
        const run = state.runs.get(runId);
        for (const hook of hooks) {
          if (run && hook.runId === runId && lease.type === "finish") state.takeToken(run, hook);
        }
      }
      return results;
    },
  })),
  bug("hook-tokens", "hook ids are taken for unique", (planted) => ({
    async commit(batch, now) {
      const results = await planted.world.commit(batch, now);
      for (const { type, id } of batch.flatMap(({ events }) => events)) {
        if (type !== "hook_disposed" || id === null) continue;
        for (const run of planted.state.runs.values()) planted.state.freeToken(run, id);
      }
      return results;
    },
  })),
  bug("hook-tokens", "a conflict does not say with whom", (planted) => ({
    async commit(batch, now) {
      const results = await planted.world.commit(batch, now);
      for (const { runId } of batch) {
        const journal = stored(planted, runId)?.journal ?? [];
        for (const [index, event] of journal.entries()) {
          if (event.type === "hook_conflict") journal[index] = { ...event, data: null };
        }
      }
      return results;
    },
  })),
];
