import type { CommitResult, World } from "@perdure/core/world";
import { type Bug, bug, committing, gap, stored, writing } from "./bug.ts";

export const nameBugs: readonly Bug[] = [
  bug("names", "a name can be taken twice", (planted) =>
    committing(planted.world, (commit, now) => {
      for (const { claim } of commit.events) {
        const held = claim && planted.state.names.get(claim.name, now);
        const run = held && stored(planted, held.runId);
        if (held && run) planted.state.names.release(run, held.id);
      }
      return commit;
    }),
  ),
  bug("names", "a name that is released stays", ({ world }) =>
    writing(world, ({ release: _, ...event }) => event),
  ),
  bug("names", "an ended run keeps its names", ({ world }) =>
    writing(world, (event) =>
      event.claim === undefined ? event : { ...event, claim: { ...event.claim, keepFor: null } },
    ),
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
  bug("names", "a commit sent again asks for its names anew", (planted) => ({
    async commit(batch, now) {
      const known = batch.map(({ runId, seq }) => (stored(planted, runId)?.row.seq ?? seq) > seq);
      const results = await planted.world.commit(batch, now);
      return results.map((result, index): CommitResult => {
        if (!known[index] || result.outcome !== "committed") return result;
        const { events = [], runId } = batch[index] ?? {};
        const conflicts = events.flatMap(({ claim }) => {
          const held = claim && planted.state.names.get(claim.name, now);
          return held && held.runId !== runId ? [{ id: held.id, runId: held.runId }] : [];
        });
        return { ...result, conflicts };
      });
    },
  })),
  bug("names", "any event of a refusal's type is told as a conflict", (planted) => ({
    async commit(batch, now) {
      const results = await planted.world.commit(batch, now);
      return results.map((result, index): CommitResult => {
        if (result.outcome !== "committed") return result;
        const refusals = batch[index]?.events.map(({ claim }) => claim?.refusedAs) ?? [];
        const plain = batch[index]?.events.filter(
          ({ claim, type, id }) => !claim && id !== null && refusals.includes(type),
        );
        const more = plain?.map(({ id, data }) => ({
          id: id ?? "",
          runId: new TextDecoder().decode(data ?? undefined),
        }));
        return { ...result, conflicts: [...result.conflicts, ...(more ?? [])] };
      });
    },
  })),
  bug("names", "what a fenced commit asks for is taken", (planted) => ({
    async commit(batch, now) {
      const results = await planted.world.commit(batch, now);
      for (const [index, { runId, events }] of batch.entries()) {
        const run = stored(planted, runId);
        if (run === undefined || results[index]?.outcome !== "fenced") continue;
        for (const { claim } of events) if (claim) planted.state.names.take(run, claim, now);
      }
      return results;
    },
  })),

  bug("name-races", "names are looked up first and taken later, by commits", (planted) => ({
    async commit(batch, now) {
      const free = namesOf(batch).filter((name) => planted.state.names.get(name, now) === null);
      await gap();
      takeAway(planted.state, free, now);
      return planted.world.commit(batch, now);
    },
  })),
  bug("name-races", "names are looked up first and taken later, by starts", ({ world, state }) => ({
    async createRuns(batch, now) {
      const names = batch.flatMap((run) => run.names.map(({ name }) => name));
      const free = names.filter((name) => state.names.get(name, now) === null);
      await gap();
      takeAway(state, free, now);
      return world.createRuns(batch, now);
    },
  })),
  bug("name-races", "a start holds its names while it is not made yet", ({ world, state }) => {
    return {
      async createRuns(batch, now) {
        const mine = batch.flatMap((run) => run.names.map(({ name }) => name));
        const busy = mine.find((name) => pending.has(name));
        const [owner] = [...state.runs.values()];
        const [held] = state.names.list({ limit: 1, now }).names;
        if (busy !== undefined && owner !== undefined && held !== undefined) {
          return batch.map(() => ({ outcome: "held", name: { ...held, name: busy }, run: owner.row }));
        }
        for (const name of mine) pending.add(name);
        await gap();
        for (const name of mine) pending.delete(name);
        return world.createRuns(batch, now);
      },
    };
  }),

  bug("name-listing", "names of all runs are listed", ({ world }) => ({
    listNames: ({ runId: _, ...query }) => world.listNames(query),
  })),
  bug("name-listing", "the last page is not reached", ({ world }) => ({
    async listNames(query) {
      const page = await world.listNames(query);
      return page.names.length < query.limit ? { names: [], cursor: null } : page;
    },
  })),
  bug("name-listing", "the prefix is a pattern", ({ world }) => ({
    listNames: (query) => byPattern(world, query, (text) => text.replaceAll("_", ".").replaceAll("%", ".*")),
  })),
  bug("name-listing", "the prefix is compared without case", ({ world }) => ({
    listNames: (query) => byPattern(world, query, (text) => text.replaceAll(/[[\]\\*%]/g, "\\$&"), "i"),
  })),
  bug("name-listing", "names are cut at 255 characters", ({ world }) => ({
    listNames: async (query) => {
      const page = await world.listNames(query);
      return { ...page, names: page.names.map((held) => ({ ...held, name: held.name.slice(0, 255) })) };
    },
  })),
  bug("name-listing", "names that are free are listed", ({ world }) => ({
    listNames: (query) => world.listNames({ ...query, now: 0 }),
  })),
  bug("name-listing", "pages are counted, not anchored", ({ world }) => ({
    async listNames({ cursor, ...query }) {
      const from = Number(cursor ?? 0);
      const { names } = await world.listNames({ ...query, limit: from + query.limit + 1 });
      const page = names.slice(from, from + query.limit);
      return { names: page, cursor: names.length > from + query.limit ? String(from + query.limit) : null };
    },
  })),
];

const pending = new Set<string>();

type Commits = Parameters<World["commit"]>[0];
type State = Parameters<Bug["plant"]>[0]["state"];

function namesOf(batch: Commits): string[] {
  return batch.flatMap(({ events }) => events.flatMap(({ claim }) => claim?.name ?? []));
}

/** Frees names, whoever has them. */
function takeAway(state: State, names: readonly string[], now: number): void {
  for (const name of names) {
    const held = state.names.get(name, now);
    const run = held && state.runs.get(held.runId);
    if (held && run) state.names.release(run, held.id);
  }
}

async function byPattern(
  world: World,
  { prefix = "", ...query }: Parameters<World["listNames"]>[0],
  pattern: (prefix: string) => string,
  flags = "",
) {
  const fits = new RegExp(`^${pattern(prefix)}`, `${flags}s`);
  const names = [];
  let page = await world.listNames(query);
  for (;;) {
    names.push(...page.names.filter(({ name }) => fits.test(name)));
    if (page.cursor === null || names.length >= query.limit) break;
    page = await world.listNames({ ...query, cursor: page.cursor });
  }
  const last = names.slice(0, query.limit).at(-1);
  const more = page.cursor !== null || names.length > query.limit;
  return { names: names.slice(0, query.limit), cursor: more && last ? last.name : null };
}
