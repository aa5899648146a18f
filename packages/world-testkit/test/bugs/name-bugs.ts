import { endsRun, type RunCommit, type World } from "@perdure/core/world";
import { type Bug, bug, stored } from "./bug.ts";

export const nameBugs: readonly Bug[] = [
  bug("names", "a name can be taken twice", (planted) => ({
    commit(batch, now) {
      for (const { claim } of batch.flatMap(({ events }) => events)) {
        const held = claim && planted.state.names.get(claim.name, now);
        const run = held && stored(planted, held.runId);
        if (held && run) planted.state.names.release(run, held.id);
      }
      return planted.world.commit(batch, now);
    },
  })),
  bug("names", "a name that is released stays", ({ world }) =>
    commits(world, (commit) => ({
      ...commit,
      events: commit.events.map(({ release: _, ...event }) => event),
    })),
  ),
  bug("names", "an ended run keeps its names", ({ world }) =>
    commits(world, (commit) => ({
      ...commit,
      events: commit.events.map((event) =>
        event.claim === undefined ? event : { ...event, claim: { ...event.claim, keepFor: null } },
      ),
    })),
  ),
  bug("names", "ids are taken for unique", (planted) => ({
    async commit(batch, now) {
      const results = await planted.world.commit(batch, now);
      for (const { release } of batch.flatMap(({ events }) => events)) {
        if (release === undefined) continue;
        for (const run of planted.state.runs.values()) planted.state.names.release(run, release);
      }
      return results;
    },
  })),
  bug("names", "a refusal does not say who has the name", (planted) => ({
    async commit(batch, now) {
      const results = await planted.world.commit(batch, now);
      for (const { runId, events } of batch) {
        const refusals = events.map(({ claim }) => claim?.refusedAs);
        const journal = stored(planted, runId)?.journal ?? [];
        for (const [index, event] of journal.entries()) {
          if (refusals.includes(event.type)) journal[index] = { ...event, data: null };
        }
      }
      return results;
    },
  })),

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
];

/** A World that sends other commits than it was asked for. */
function commits(world: World, change: (commit: RunCommit) => RunCommit): Partial<World> {
  return { commit: (batch, now) => world.commit(batch.map(change), now) };
}
