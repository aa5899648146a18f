import type { World } from "@perdure/core/world";
import { type Bug, bug, delivering, stored, writing } from "./bug.ts";

const KNOWN = new Set([
  "run_created",
  "step_created",
  "hook_created",
  "hook_conflict",
  "hook_received",
  "wake",
]);

/** Bugs of Worlds that look at types. */
export const typeBugs: readonly Bug[] = [
  bug("opaque-types", "an unknown type is written as another", ({ world }) =>
    written(world, (type) => (KNOWN.has(type) ? type : "unknown")),
  ),
  bug("opaque-types", "types are cut", ({ world }) => written(world, (type) => type.slice(0, 63))),
  bug("opaque-types", "types are compared without case", ({ world }) =>
    written(world, (type) => type.toLowerCase()),
  ),
  bug("opaque-types", "types end at NUL", ({ world }) =>
    written(world, (type) => type.split("\u0000")[0] ?? ""),
  ),
  bug("opaque-types", "an empty type is none", ({ world }) => written(world, (type) => type || "null")),
  bug("opaque-types", "an event frees a name by its type", ({ world }) =>
    writing(world, (event) =>
      event.type === "hook_disposed" ? { ...event, release: event.id ?? "" } : event,
    ),
  ),
  bug("opaque-types", "an unknown message is another", ({ world }) =>
    delivering(world, (message) => ({ ...message, type: KNOWN.has(message.type) ? message.type : "wake" })),
  ),
  bug("opaque-types", "first mail is of one type", ({ world }) => ({
    createRuns: (batch, now) =>
      world.createRuns(
        batch.map((run) => ({ ...run, mail: run.mail.map((mail) => ({ ...mail, type: "hook_received" })) })),
        now,
      ),
  })),
  bug("opaque-types", "a refusal is of one type", ({ world }) =>
    writing(world, (event) =>
      event.claim ? { ...event, claim: { ...event.claim, refusedAs: "hook_conflict" } } : event,
    ),
  ),
  bug("opaque-types", "a refusal of an unknown type is not told", ({ world }) => ({
    async commit(batch, now) {
      const results = await world.commit(batch, now);
      return results.map((result, index) => {
        if (result.outcome !== "committed") return result;
        const told = batch[index]?.events.filter(({ claim }) => claim && KNOWN.has(claim.refusedAs)) ?? [];
        return {
          ...result,
          conflicts: result.conflicts.filter(({ id }) => told.some((event) => event.id === id)),
        };
      });
    },
  })),

  bug("first-mail", "a run with first mail is due when it was asked for", (planted) => ({
    async createRuns(batch, now) {
      const results = await planted.world.createRuns(batch, now);
      for (const { runId, mail, dueAt } of batch) {
        const run = stored(planted, runId);
        if (run?.row.owner === null && mail.length > 0) planted.state.setRow(run, { dueAt });
      }
      return results;
    },
  })),
  bug("first-mail", "a message that went elsewhere is not looked up", ({ world, state }) => ({
    createRuns(batch, now) {
      for (const { messageId } of batch.flatMap(({ mail }) => mail)) state.messages.delete(messageId);
      return world.createRuns(batch, now);
    },
  })),
  bug("first-mail", "messages are looked up before names", (planted) => ({
    async createRuns(batch, now) {
      const results = await planted.world.createRuns(batch, now);
      return results.map((result, index) => {
        const known = (batch[index]?.mail ?? []).find(({ messageId }) =>
          planted.state.messages.has(messageId),
        );
        if (result.outcome !== "held" || known === undefined) return result;
        const { messageId } = known;
        return { outcome: "mailed", messageId, runId: planted.state.messages.get(messageId)?.runId ?? "" };
      });
    },
  })),
  bug("first-mail", "first mail lies in no order", ({ world }) => ({
    createRuns: (batch, now) =>
      world.createRuns(
        batch.map((run) => ({ ...run, mail: run.mail.toReversed() })),
        now,
      ),
  })),
  bug("first-mail", "first mail is to the run, not to its name", ({ world }) => ({
    async listMail(runs) {
      return (await world.listMail(runs)).map((list) => list.map((mail) => ({ ...mail, id: null })));
    },
  })),
  bug("first-mail", "the ids of first mail are not known to deliveries", ({ world, state }) => ({
    async createRuns(batch, now) {
      const results = await world.createRuns(batch, now);
      for (const { messageId } of batch.flatMap(({ mail }) => mail)) state.messages.delete(messageId);
      return results;
    },
  })),
  bug("first-mail", "a start that is not made keeps its messages from others", (planted) => ({
    async createRuns(batch, now) {
      const results = [];
      for (const run of batch) {
        const [result] = await planted.world.createRuns([run], now);
        if (result === undefined) continue;
        results.push(result);
        for (const { messageId, id } of result.outcome === "created" ? [] : run.mail) {
          if (!planted.state.messages.has(messageId))
            planted.state.messages.set(messageId, { runId: run.runId, id });
        }
      }
      return results;
    },
  })),
  bug("first-mail", "first mail is put in after the run is made", ({ world, state }) => ({
    async createRuns(batch, now) {
      const made = batch.map(({ runId }) => state.runs.has(runId));
      const results = await world.createRuns(
        batch.map((run) => ({ ...run, mail: [] })),
        now,
      );
      await new Promise((resolve) => setImmediate(resolve));
      const mail = batch.flatMap(({ runId, names, mail }, index) =>
        results[index]?.outcome !== "created" || made[index]
          ? []
          : mail.map((message) => ({
              ...message,
              to: { runId, id: names.find(({ id }) => id === message.id)?.id ?? "" },
            })),
      );
      await world.deliver(mail, now);
      return results;
    },
  })),
];

/** A World that writes events, with starts and with commits, under other types than it was asked for. */
function written(world: World, change: (type: string) => string): Partial<World> {
  return {
    ...writing(world, (event) => ({ ...event, type: change(event.type) })),
    createRuns: (batch, now) =>
      world.createRuns(
        batch.map((run) => ({
          ...run,
          events: run.events.map((event) => ({ ...event, type: change(event.type) })),
        })),
        now,
      ),
  };
}
