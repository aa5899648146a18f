import { deepEqual, equal } from "node:assert/strict";
import type { NewEvent, World } from "@perdure/core/world";
import { journalOf, leasedRun, rowOf, write } from "../acts.ts";
import type { Law } from "../law.ts";
import { bytesOf, eventOf, holding, START, stepCreated } from "../requests.ts";
import { same } from "../same.ts";

const TYPES: readonly string[] = [
  "run_started",
  "step_created",
  "step_retrying",
  "step_completed",
  "step_failed",
  "wait_created",
  "wait_completed",
  "hook_received",
  "run_cancel_requested",
];

/** The journal: dense, in the order in which it was written, and read back as it was. */
export const journal: Law = {
  name: "journal",
  cases: {
    "events of every type are read back as they were written": async (stage) => {
      const world = await stage.open();
      const run = await leasedRun(world);
      const events = TYPES.flatMap((type): NewEvent[] => [
        eventOf(type, { at: START + 1, id: `id of ${type}`, name: `name of ${type}`, data: bytesOf(type) }),
        ...(type === "run_started" ? [] : [eventOf(type)]),
      ]);
      await write(world, holding(run, events, { run: { status: "running", startedAt: START + 1 } }));
      same(
        (await journalOf(await stage.open(), run.runId)).slice(1),
        events.map((event, index) => ({ ...event, seq: index + 2 })),
      );
    },

    "pages of any size make up the whole": async (stage) => {
      const world = await stage.open();
      const run = await leasedRun(world);
      await write(
        world,
        holding(
          run,
          Array.from({ length: 52 }, (_, index) => stepCreated(`step-${index}`)),
        ),
      );
      const whole = await journalOf(world, run.runId);
      deepEqual(
        whole.map(({ seq }) => seq),
        Array.from({ length: 53 }, (_, index) => index + 1),
      );
      for (const limit of [1, 7, 53, 100]) {
        const pages = [];
        for (let after = 0; after < 53; after += limit)
          pages.push(await world.listEvents(run.runId, after, limit));
        same(pages.flat(), whole);
      }
      same(await world.listEvents(run.runId, 53, 10), []);
      same(await world.listEvents(run.runId, 1_000, 10), []);
      same(await world.listEvents("wrun_unknown", 0, 10), []);
    },

    "order and density hold under load": async (stage) => {
      const worlds = await stage.openMany(4);
      const [world] = worlds as [World];
      const groups = await Promise.all(
        worlds.map((mine) => Promise.all(Array.from({ length: 6 }, () => leasedRun(mine)))),
      );
      const sent = new Map<string, string[]>(groups.flat().map(({ runId }) => [runId, []]));
      await Promise.all(
        groups.map(async (runs, group) => {
          const mine = worlds[group] ?? world;
          const length = new Map(runs.map(({ runId }) => [runId, 1]));
          for (let turn = 0; turn < 25; turn++) {
            const batch = runs.map((run, index) => {
              const ids = Array.from({ length: 1 + ((turn + index) % 4) }, (_, part) => `${turn}-${part}`);
              const seq = length.get(run.runId) ?? 0;
              length.set(run.runId, seq + ids.length);
              sent.get(run.runId)?.push(...ids);
              return holding({ ...run, seq }, ids.map(stepCreated));
            });
            const results = await mine.commit(turn % 2 ? batch : batch.reverse(), START + turn);
            for (const { outcome } of results) equal(outcome, "committed");
          }
        }),
      );
      for (const [runId, ids] of sent) {
        const written = await journalOf(world, runId);
        deepEqual(
          written.slice(1).map(({ id }) => id),
          ids,
        );
        equal((await rowOf(world, runId)).seq, ids.length + 1);
      }
    },

    "a commit may bring a thousand events": async (stage) => {
      const world = await stage.open();
      const run = await leasedRun(world);
      const ids = Array.from({ length: 1_000 }, (_, index) => `step-${index}`);
      const row = await write(world, holding(run, ids.map(stepCreated)));
      equal(row.seq, 1_001);
      deepEqual(
        (await journalOf(world, run.runId)).slice(1).map(({ id }) => id),
        ids,
      );
    },
  },
};
