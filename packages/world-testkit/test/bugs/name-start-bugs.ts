import { endsRun, type NameClaim, type World } from "@perdure/core/world";
import { START } from "../../src/requests.ts";
import { type Bug, bug, starting, stored } from "./bug.ts";

export const nameStartBugs: readonly Bug[] = [
  bug("name-starts", "a start gets those of its names that are free", ({ world, state }) =>
    starting(world, (run, now) => ({
      ...run,
      names: run.names.filter(({ name, from }) => from !== null || state.names.get(name, now) === null),
    })),
  ),
  bug("name-starts", "a start is told of the last name that is held", ({ world }) =>
    starting(world, (run) => ({ ...run, names: run.names.toReversed() })),
  ),
  bug("name-starts", "a start that is not made keeps the names that were free", ({ world, state }) => ({
    async createRuns(batch, now) {
      const results = await world.createRuns(batch, now);
      const [ghost] = [...state.runs.values()];
      for (const [index, { names, runId }] of batch.entries()) {
        if (results[index]?.outcome === "created" || ghost === undefined) continue;
        const run = { ...ghost, row: { ...ghost.row, runId }, names: new Map<string, string>() };
        for (const claim of names) {
          if (state.names.get(claim.name, now) === null) state.names.take(run, claim, now);
        }
      }
      return results;
    },
  })),
  bug("name-starts", "a name passes from a run that goes on", (planted) =>
    starting(planted.world, (run, now) => {
      for (const { name, from } of run.names) {
        const held = planted.state.names.get(name, now);
        const holder = held && stored(planted, held.runId);
        if (held && holder && held.runId === from) planted.state.names.release(holder, held.id);
      }
      return run;
    }),
  ),
  bug("name-starts", "a name passes from any run that has ended", ({ world, state }) =>
    starting(world, (run, now) => ({
      ...run,
      names: run.names.map((claim) => ({ ...claim, from: state.names.get(claim.name, now)?.runId ?? null })),
    })),
  ),
  bug("name-starts", "a name does not pass before it is free", ({ world }) =>
    starting(world, (run) => ({ ...run, names: run.names.map((claim) => ({ ...claim, from: null })) })),
  ),
  bug("name-starts", "the same request takes its names again", (planted) => ({
    async createRuns(batch, now) {
      const results = await planted.world.createRuns(batch, now);
      for (const [index, { runId, names }] of batch.entries()) {
        const run = stored(planted, runId);
        if (run === undefined || results[index]?.outcome !== "created") continue;
        for (const claim of names) planted.state.names.take(run, claim, run.row.createdAt);
      }
      return results;
    },
  })),
  bug("name-starts", "a name that was given up is the run's again that had it before", (planted) => ({
    async createRuns(batch, now) {
      const results = await planted.world.createRuns(batch, now);
      for (const { runId, names } of batch) {
        const run = stored(planted, runId);
        const [claim] = names;
        if (run === undefined || claim === undefined || planted.state.names.get(claim.name, now)) continue;
        if (claim.keepFor === null) planted.state.names.take(run, claim, run.row.createdAt);
      }
      return results;
    },
  })),
  bug("name-starts", "the old run is touched when a name passes", (planted) => ({
    async createRuns(batch, now) {
      const results = await planted.world.createRuns(batch, now);
      for (const { from } of batch.flatMap(({ names }) => names)) {
        const run = from === null ? undefined : stored(planted, from);
        if (run !== undefined) planted.state.setRow(run, { state: new Uint8Array() });
      }
      return results;
    },
  })),

  ...(
    [
      ["a name is free a millisecond late", ({ keepFor }) => ({ keepFor: keepFor && keepFor + 1 })],
      ["a name is free a millisecond early", ({ keepFor }) => ({ keepFor: keepFor && keepFor - 1 })],
      ["the time before which a name is not free is not looked at", () => ({ freeAt: 0 })],
      ["that time ends too early", ({ freeAt }) => ({ freeAt: freeAt && freeAt - 1 })],
      ["a name is not kept after the end", ({ keepFor }) => ({ keepFor: keepFor && 0 })],
      ["a name that is kept for ever has an end", ({ keepFor }) => ({ keepFor: keepFor ?? 1 })],
      [
        "a name ends with its run by the clock only",
        ({ keepFor }) => ({ keepFor: keepFor === 0 ? Number.MIN_VALUE : keepFor }),
      ],
    ] as const satisfies readonly (readonly [string, (claim: NameClaim) => Partial<NameClaim>])[]
  ).map(([what, change]) => bug("name-times", what, ({ world }) => claims(world, change))),
  bug("name-times", "names end with their runs", ({ world, state }) => ({
    async commit(batch, now) {
      const results = await world.commit(batch, now);
      for (const commit of batch) {
        const run = state.runs.get(commit.runId);
        if (run && endsRun(commit)) state.names.releaseAll(run);
      }
      return results;
    },
  })),
  bug("name-times", "who reads does not look at the time", ({ world }) => ({
    getNames: (names) => world.getNames(names, 0),
  })),
  bug("name-times", "who lists does not look at the time", ({ world }) => ({
    listNames: (query) => world.listNames({ ...query, now: 0 }),
  })),
  bug("name-times", "who delivers does not look at the time", ({ world }) => ({
    deliver: (batch) => world.deliver(batch, 0),
  })),
  bug("name-times", "a name ends at its time though its run goes on", ({ world, state }) => ({
    getNames: async (names, now) => {
      const held = await world.getNames(names, now);
      const over = (runId: string) =>
        state.runs.get(runId)?.row.status === "pending" && now >= START + 1_000_000_000;
      return held.map((name) => (name !== null && over(name.runId) ? null : name));
    },
  })),
  bug("name-times", "names are left behind when their run is deleted", ({ world, state }) => ({
    async deleteRuns(runIds) {
      const runs = runIds.flatMap((runId) => state.runs.get(runId) ?? []);
      const claims = runs.flatMap((run) => [...run.names].map(([id, name]) => ({ run, id, name })));
      const deleted = await world.deleteRuns(runIds);
      for (const { run, id, name } of claims) {
        const claim = { id, name, fingerprint: null, data: null, keepFor: null, freeAt: 0 };
        if (!state.runs.has(run.row.runId)) state.names.take(run, claim, 0);
      }
      return deleted;
    },
  })),
  bug("name-times", "a run takes its names with it, whosever they are", ({ world, state }) => ({
    async deleteRuns(runIds) {
      const names = runIds.flatMap((runId) => past.get(runId) ?? []);
      const deleted = await world.deleteRuns(runIds);
      for (const run of state.runs.values()) {
        for (const [id, name] of [...run.names]) if (names.includes(name)) state.names.release(run, id);
      }
      return deleted;
    },
    async createRuns(batch, now) {
      for (const { runId, names } of batch)
        past.set(
          runId,
          names.map(({ name }) => name),
        );
      return world.createRuns(batch, now);
    },
  })),
];

const past = new Map<string, readonly string[]>();

/** A World that changes every claim of a name. */
function claims(world: World, change: (claim: NameClaim) => Partial<NameClaim>): Partial<World> {
  return {
    createRuns: (batch, now) =>
      world.createRuns(
        batch.map((run) => ({ ...run, names: run.names.map((claim) => ({ ...claim, ...change(claim) })) })),
        now,
      ),
    commit: (batch, now) =>
      world.commit(
        batch.map((commit) => ({
          ...commit,
          events: commit.events.map((event) =>
            event.claim === undefined
              ? event
              : { ...event, claim: { ...event.claim, ...change(event.claim) } },
          ),
        })),
        now,
      ),
  };
}
