import type { ClaimedRun, World } from "@perdure/core/world";
import { type Bug, bug, gap, stored } from "./bug.ts";

export const scheduleBugs: readonly Bug[] = [
  bug("claim-exclusive", "due runs are looked up first and taken later", ({ world, state }) => ({
    async claim(request) {
      const due = [...state.runs.values()].filter(
        ({ row }) => request.queues.includes(row.queue) && row.dueAt !== null && row.dueAt <= request.now,
      );
      await gap();
      for (const run of due) state.setRow(run, { dueAt: Math.min(run.row.dueAt ?? 0, request.now) });
      return world.claim(request);
    },
  })),
  bug("queues", "runs of any queue are claimed", ({ world, state }) => ({
    claim: (request) =>
      world.claim({ ...request, queues: [...state.runs.values()].map(({ row }) => row.queue) }),
  })),
  bug("queues", "the order of the queues is not the caller's", ({ world }) => ({
    claim: (request) => world.claim({ ...request, queues: request.queues.toSorted() }),
  })),
  bug("queues", "the next due time is the first queue's", ({ world }) => ({
    async claim(request) {
      const result = await world.claim(request);
      if (request.runIds !== undefined) return result;
      const alone = { ...request, queues: request.queues.slice(0, 1), limit: 0 };
      return { ...result, nextDueAt: (await world.claim(alone)).nextDueAt };
    },
  })),
  bug("queues", "run ids are claimed before they are due", ({ world }) => ({
    claim: (request) =>
      world.claim(request.runIds === undefined ? request : { ...request, now: request.now + 1e9 }),
  })),
  bug("queues", "run ids are looked for in the given queues only", ({ world, state }) => ({
    claim: ({ runIds, ...request }) =>
      world.claim({
        ...request,
        ...(runIds && {
          runIds: runIds.filter((id) => request.queues.includes(state.runs.get(id)?.row.queue ?? "")),
        }),
      }),
  })),
  bug("queues", "a commit leaves the run in its queue", ({ world }) => ({
    commit: (batch, now) =>
      world.commit(
        batch.map(({ run: { queue: _, ...run }, ...commit }) => ({ ...commit, run })),
        now,
      ),
  })),
  bug("claim-exclusive", "runs are claimed before they are due", ({ world }) => ({
    claim: (request) => world.claim({ ...request, now: request.now + 1 }),
  })),
  bug("queues", "the next due time is not told", ({ world }) => ({
    claim: async (request) => ({ ...(await world.claim(request)), nextDueAt: null }),
  })),
  bug("claim-exclusive", "the newest due run comes first", ({ world, state }) => ({
    async claim(request) {
      const due = [...state.runs.values()].filter(
        ({ row }) => row.dueAt !== null && row.dueAt <= request.now,
      );
      for (const run of due) state.setRow(run, { dueAt: 2 * request.now - (run.row.dueAt ?? 0) - 1e12 });
      return world.claim(request);
    },
  })),
  bug("claim-exclusive", "who has an old journal in memory gets no events", ({ world, state }) => ({
    claim: (request) =>
      world.claim({
        ...request,
        cached: new Map(
          [...request.cached.entries()].map(([runId, { seq }]) => [
            runId,
            { seq, claimId: state.runs.get(runId)?.row.claimId ?? "" },
          ]),
        ),
      }),
  })),
  bug("claim-exclusive", "the length of what is in memory is not looked at", ({ world, state }) => ({
    claim: (request) =>
      world.claim({
        ...request,
        cached: new Map(
          [...request.cached.entries()].map(([runId, { claimId }]) => [
            runId,
            { claimId, seq: state.runs.get(runId)?.row.seq ?? 0 },
          ]),
        ),
      }),
  })),
  bug("claim-exclusive", "bytes are not looked at", ({ world }) => ({
    claim: (request) => world.claim({ ...request, byteLimit: Number.MAX_SAFE_INTEGER }),
  })),
  bug("claim-exclusive", "the journal is read before the claim", (planted) => ({
    async claim(request) {
      const journals = new Map(
        [...planted.state.runs.values()].map(({ row, journal }) => [row.runId, [...journal]]),
      );
      await gap();
      const result = await planted.world.claim(request);
      const stale = ({ run, events, ...rest }: ClaimedRun): ClaimedRun => ({
        ...rest,
        run,
        events: events.length === 0 ? events : (journals.get(run.runId) ?? []).slice(0, request.eventLimit),
      });
      return { ...result, runs: result.runs.map(stale) };
    },
  })),
  bug("claim-exclusive", "consumed mail comes again", (planted) => ({
    async claim(request) {
      const result = await planted.world.claim(request);
      return {
        ...result,
        runs: result.runs.map((claimed) => ({
          ...claimed,
          mail: [...(stored(planted, claimed.run.runId)?.mailbox ?? [])],
        })),
      };
    },
  })),

  bug("lease-takeover", "a lease that ran out is not told as lost", ({ world }) => ({
    async claim(request) {
      const result = await world.claim(request);
      return { ...result, runs: result.runs.map((claimed) => ({ ...claimed, lost: false })) };
    },
  })),
  bug("lease-takeover", "a released lease is told as lost", ({ world }) => ({
    async claim(request) {
      const result = await world.claim(request);
      return { ...result, runs: result.runs.map((claimed) => ({ ...claimed, lost: claimed.run.epoch > 1 })) };
    },
  })),
  bug("lease-takeover", "an expired lease keeps its epoch when its owner claims again", (planted) => ({
    async claim(request) {
      const owners = new Map([...planted.state.runs.values()].map(({ row }) => [row.runId, row.owner]));
      const result = await planted.world.claim(request);
      const runs = result.runs.map((claimed) => {
        const run = stored(planted, claimed.run.runId);
        if (run === undefined || owners.get(run.row.runId) !== request.owner) return claimed;
        planted.state.setRow(run, { epoch: run.row.epoch - 1 });
        return { ...claimed, run: run.row };
      });
      return { ...result, runs };
    },
  })),
  bug("lease-takeover", "renewing does not look at the epoch", (planted) => ({
    renew: (request) =>
      planted.world.renew({
        ...request,
        leases: request.leases.map((lease) => {
          const row = stored(planted, lease.runId)?.row;
          return { ...lease, epoch: row?.epoch ?? lease.epoch, claimId: row?.claimId ?? lease.claimId };
        }),
      }),
  })),
  bug("lease-takeover", "renewing does not look at the claim id", (planted) => ({
    renew: (request) =>
      planted.world.renew({
        ...request,
        leases: request.leases.map((lease) => {
          const row = stored(planted, lease.runId)?.row;
          return { ...lease, claimId: row?.epoch === lease.epoch ? (row.claimId ?? "") : lease.claimId };
        }),
      }),
  })),
  bug("lease-takeover", "lost claims are not counted", (planted) => ({
    async claim(request) {
      const result = await planted.world.claim(request);
      const runs = result.runs.map((claimed) => {
        const run = stored(planted, claimed.run.runId);
        if (run !== undefined) planted.state.setRow(run, { lostClaims: 0 });
        return { ...claimed, run: run?.row ?? claimed.run };
      });
      return { ...result, runs };
    },
  })),
  bug("lease-takeover", "any event counts as progress", (planted) => ({
    commit: (batch, now) =>
      planted.world.commit(
        batch.map((commit) =>
          commit.events.length > 0 ? { ...commit, run: { ...commit.run, lostClaims: 0 } } : commit,
        ),
        now,
      ),
  })),
  bug("lease-takeover", "a released lease is renewed", ({ world, state }) => ({
    renew(request) {
      for (const { runId } of request.leases) {
        const run = state.runs.get(runId);
        if (run?.row.owner === null) state.setRow(run, { owner: "nobody" });
      }
      return world.renew(request);
    },
  })),
  bug("lease-takeover", "renewing shortens a lease", ({ world, state }) => ({
    async renew(request) {
      const results = await world.renew(request);
      for (const [index, { runId }] of request.leases.entries()) {
        const run = state.runs.get(runId);
        if (run && results[index]?.outcome === "renewed")
          state.setRow(run, { dueAt: request.now + request.ttl });
      }
      return results;
    },
  })),
  bug("lease-takeover", "an expired lease is not renewed", ({ world, state }) => ({
    async renew(request) {
      const results = await world.renew({ ...request, ttl: 0 });
      return results.map((result, index) => {
        const run = state.runs.get(request.leases[index]?.runId ?? "");
        const dueAt = run?.row.dueAt ?? 0;
        if (run === undefined || result.outcome === "lost" || dueAt <= request.now)
          return { outcome: "lost" };
        state.setRow(run, { dueAt: Math.max(dueAt, request.now + request.ttl) });
        return result;
      });
    },
  })),

  bug("lease-keeper", "its module is not there", ({ world }) => keptBy(world, "file:///nowhere/keeper.js")),
  bug("lease-keeper", "it opens another store", ({ world }) =>
    keptBy(world, keeperThat("async ({ leases }) => leases.map(() => ({ outcome: 'lost' }))")),
  ),
  bug("lease-keeper", "it says that all is renewed, and renews nothing", ({ world }) =>
    keptBy(world, keeperThat("async ({ leases }) => leases.map(() => ({ outcome: 'renewed', mailSeq: 0 }))")),
  ),

  bug("subscribe", "no hint is given", () => ({ subscribe: () => () => {} })),
  bug("subscribe", "without notifications nobody hears of anything", ({ world }) => ({
    capabilities: { ...world.capabilities, notifications: false },
    subscribe: () => () => {},
  })),
  bug("subscribe", "nobody can unsubscribe", ({ world }) => ({
    subscribe(listener) {
      world.subscribe(listener);
      return () => {};
    },
  })),
];

function keptBy(world: World, module: string): Partial<World> {
  return { capabilities: { ...world.capabilities, leaseKeeper: async () => ({ module, options: {} }) } };
}

/** A module with a World that can be opened, renews like this and can be closed. */
function keeperThat(renew: string): string {
  const code = `export const openWorld = () => ({ open: async () => {}, close: async () => {}, renew: ${renew} });`;
  return `data:text/javascript,${encodeURIComponent(code)}`;
}
