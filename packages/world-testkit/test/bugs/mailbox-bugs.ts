import { type Bug, bug, delivering, gap, stored } from "./bug.ts";

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
  bug("deliver", "a message moves a run that is due already", (planted) => ({
    async deliver(batch, now) {
      const results = await planted.world.deliver(batch, now);
      for (const { to } of batch) {
        const run = stored(planted, "runId" in to ? to.runId : "");
        if (run?.row.owner === null && run.row.dueAt !== null) planted.state.setRow(run, { dueAt: now });
      }
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
  bug("deliver", "names are looked up before message ids", ({ world, state }) => ({
    async deliver(batch, now) {
      const results = await world.deliver(batch, now);
      return results.map((result, index) => {
        const to = batch[index]?.to;
        return to && "name" in to && state.names.get(to.name, now) === null
          ? { outcome: "no_such_name" }
          : result;
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
  bug("deliver", "what in a run a message is for is not kept", ({ world }) =>
    delivering(world, ({ to, ...message }) => ({
      ...message,
      to: "runId" in to ? { runId: to.runId } : to,
    })),
  ),
  bug("deliver", "a message to something that is gone is refused", ({ world, state }) => ({
    async deliver(batch, now) {
      const results = await world.deliver(batch, now);
      return results.map((result, index) => {
        const to = batch[index]?.to;
        if (to === undefined || !("runId" in to) || to.id === undefined) return result;
        return state.runs.get(to.runId)?.names.has(to.id) ? result : { outcome: "no_such_run" };
      });
    },
  })),
];
