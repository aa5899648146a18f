import { type JoinedRun, packRequest } from "@perdure/core/world";
import { type Bug, bug } from "./bug.ts";

export const joiningBugs: readonly Bug[] = [
  bug("joining", "a World that cannot join does nothing", ({ world }) => ({
    capabilities: { ...world.capabilities, joining: false },
    joining: () => ({ createRuns: async () => {}, deliver: async () => {} }),
  })),
  bug("joining", "anything is taken for a transaction", ({ world }) => ({
    joining: (transaction) =>
      typeof transaction === "object" && transaction !== null && "commit" in transaction
        ? world.joining(transaction)
        : { createRuns: async () => {}, deliver: async () => {} },
  })),
  bug("joining", "a start does not wait for the commit", ({ world }) => ({
    joining: (transaction) => ({
      ...world.joining(transaction),
      async createRuns(batch, now) {
        await world.joining(transaction).createRuns([], now);
        await world.createRuns(batch.map(withoutLease), now);
      },
    }),
  })),
  bug("joining", "a message outlives a rollback", ({ world, state }) => ({
    joining: (transaction) => ({
      ...world.joining(transaction),
      async deliver(batch, now) {
        if (batch.length > 0) state.outbox.push(packRequest({ type: "deliver", batch, now }));
      },
    }),
  })),
  bug("joining", "the last request is carried out first", ({ world, state }) => ({
    claim(request) {
      state.outbox.reverse();
      return world.claim(request);
    },
  })),
  bug("joining", "a row stays after it was carried out", ({ world, state }) => ({
    async claim(request) {
      const rows = [...state.outbox];
      const claimed = await world.claim(request);
      state.outbox.push(...rows);
      return claimed;
    },
  })),
  bug("joining", "a row is taken before it is carried out", ({ world, state, operation }) => ({
    async claim(request) {
      const rows = state.outbox.splice(0);
      await operation("carry out");
      state.outbox.push(...rows);
      return world.claim(request);
    },
  })),
  bug("joining", "hints of a commit go nowhere", ({ state }) => ({
    subscribe: (listener) => state.subscribe((hint) => hint.type !== "outbox" && listener(hint)),
  })),
  bug("joining", "an opened World does not look", ({ world }) => ({
    open: async () => world.describe() && undefined,
  })),
];

function withoutLease(run: JoinedRun) {
  return { ...run, lease: null };
}
