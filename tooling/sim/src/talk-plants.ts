import type { CreateRun, World } from "@perdure/core/world";
import type { TalkPlant } from "./config.ts";

/** Bugs on purpose in what runs that talk are made of. */
export function plantTalkBug(world: World, plant: TalkPlant): World {
  const createRuns = (change: (request: CreateRun) => CreateRun): World => ({
    ...world,
    createRuns: (batch, now) => world.createRuns(batch.map(change), now),
  });
  let sendings = 0;
  switch (plant) {
    case "generation-not-told":
      return {
        ...world,
        async claim(request) {
          const result = await world.claim(request);
          return {
            ...result,
            runs: result.runs.map((claimed) => ({ ...claimed, run: { ...claimed.run, generation: 0 } })),
          };
        },
      };
    case "first-mail-dropped":
      return createRuns((request) => ({ ...request, mail: [] }));
    case "once-not-claimed":
      return createRuns((request) =>
        request.workflow.startsWith("step:") ? { ...request, names: [], idempotencyKey: null } : request,
      );
    case "key-not-claimed":
      return createRuns((request) => ({
        ...request,
        names: request.names.filter(({ name }) => !name.startsWith("start:")),
      }));
    case "successor-not-claimed":
      return createRuns((request) => {
        if (!request.names.some(({ name }) => name.startsWith("successor:"))) return request;
        const names = request.names.filter(({ name }) => name.startsWith("hook:"));
        return { ...request, names, idempotencyKey: null };
      });
    case "fork-forgets-a-result":
      return createRuns((request) => {
        const last = request.events.findLastIndex(({ type }) => type === "step_completed");
        if (request.events[1]?.type !== "run_forked" || last < 0) return request;
        return { ...request, events: request.events.filter((_, index) => index !== last) };
      });
    case "claim-by-id-gives-nothing":
      return {
        ...world,
        claim: (request) =>
          request.runIds === undefined
            ? world.claim(request)
            : Promise.resolve({ runs: [], nextDueAt: null, now: request.now }),
      };
    case "state-not-written":
      return {
        ...world,
        commit: (batch, now) =>
          world.commit(
            batch.map(({ run: { state: _, ...run }, ...commit }) => ({ ...commit, run })),
            now,
          ),
      };
    case "attributes-not-written":
      return {
        ...world,
        commit: (batch, now) =>
          world.commit(
            batch.map(({ run: { attributes: _, ...run }, ...commit }) => ({ ...commit, run })),
            now,
          ),
      };
    case "cancel-of-child-lost":
      return {
        ...world,
        async deliver(batch, now) {
          // One by a run's replacement has a reason.
          const isLost = batch.map(
            ({ type, messageId, data }) =>
              type === "cancel_requested" && messageId.startsWith("told_") && data === null,
          );
          const results = await world.deliver(
            batch.filter((_, index) => isLost[index] === false),
            now,
          );
          const others = results.values();
          return batch.map(({ to }, index) =>
            isLost[index] === true
              ? { outcome: "delivered", runId: "runId" in to ? to.runId : "", id: null }
              : (others.next().value ?? { outcome: "no_such_name" }),
          );
        },
      };
    case "chunks-lost":
      return {
        ...world,
        appendChunks: async (batch) => batch.map(() => ({ outcome: "appended" })),
      };
    case "chunks-twice":
      return {
        ...world,
        async appendChunks(batch) {
          // A request that is sent again is taken for another writer's.
          const results = await world.appendChunks(batch);
          await world.appendChunks(
            batch.map((request) => ({ ...request, n: 0, writer: `again ${sendings++}` })),
          );
          return results;
        },
      };
    // These are in the programs.
    case "heard-forgotten":
    case "answer-unheard":
    case "shield-with-a-hole":
      return world;
  }
}
