import { equal } from "node:assert/strict";
import type { RunRecord, TerminalStatus, World } from "@perdure/core/world";
import { createOne, leasedRun, write } from "../acts.ts";
import type { Law } from "../law.ts";
import { eventOf, finishing, holding, keyOf, newRun, START } from "../requests.ts";
import { same } from "../same.ts";

const EXPIRES = START + 1_000;

/** For how long a start key is held. */
export const startKeys: Law = {
  name: "start-keys",
  cases: {
    "a key is held until it expires, also after its run has ended": async (stage) => {
      const world = await stage.open();
      const ended = await endedRun(world, "order-1", EXPIRES);
      const early = await createOne(world, newRun({ startKey: keyOf("order-1") }), EXPIRES - 1);
      same(early, { outcome: "exists", run: ended });
      const other = await createOne(world, newRun({ startKey: keyOf("order-1", "other") }), EXPIRES - 1);
      same(other, { outcome: "mismatch", run: ended });
      const late = await createOne(world, newRun({ startKey: keyOf("order-1", "other") }), EXPIRES);
      equal(late.outcome, "created");
    },

    "a run that has not ended holds its key beyond its time": async (stage) => {
      const world = await stage.open();
      const run = await leasedRun(world, { startKey: keyOf("order-1", "fingerprint", EXPIRES) });
      const later = EXPIRES + 1_000_000;
      const other = await createOne(world, newRun({ startKey: keyOf("order-1") }), later);
      same(other, { outcome: "exists", run });
      await write(world, finishing(run));
      equal((await createOne(world, newRun({ startKey: keyOf("order-1") }), later)).outcome, "created");
    },

    "a key without end is held for as long as the run is stored": async (stage) => {
      const world = await stage.open();
      const ended = await endedRun(world, "order-1", null);
      const later = START + 1_000_000_000_000;
      equal((await createOne(world, newRun({ startKey: keyOf("order-1") }), later)).outcome, "exists");
      equal(await world.deleteRuns([ended.runId]), 1);
      equal((await createOne(world, newRun({ startKey: keyOf("order-1") }), START)).outcome, "created");
    },

    "failed and cancelled runs free their keys too": async (stage) => {
      const world = await stage.open();
      for (const status of ["failed", "cancelled"] as const) {
        await endedRun(world, status, EXPIRES, status);
        equal((await createOne(world, newRun({ startKey: keyOf(status) }), EXPIRES)).outcome, "created");
      }
    },

    "deleting the old run of a key leaves the key with the new one": async (stage) => {
      const world = await stage.open();
      const ended = await endedRun(world, "order-1", EXPIRES);
      const next = newRun({ startKey: keyOf("order-1") });
      equal((await createOne(world, next, EXPIRES)).outcome, "created");
      equal(await world.deleteRuns([ended.runId]), 1);
      const last = await createOne(world, newRun({ startKey: keyOf("order-1") }), EXPIRES + 1);
      equal(last.outcome === "exists" && last.run.runId, next.runId);
    },

    "of twenty starts on a key that has just expired one wins": async (stage) => {
      const worlds = await stage.openMany(4);
      const [world] = worlds as [World];
      await endedRun(world, "order-1", EXPIRES);
      const results = await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          createOne(worlds[index % 4] ?? world, newRun({ startKey: keyOf("order-1") }), EXPIRES),
        ),
      );
      equal(results.filter(({ outcome }) => outcome === "created").length, 1, "runs created");
      equal(results.filter(({ outcome }) => outcome === "exists").length, 19);
    },
  },
};

async function endedRun(
  world: World,
  key: string,
  expiresAt: number | null,
  status: TerminalStatus = "completed",
): Promise<RunRecord> {
  const run = await leasedRun(world, { startKey: keyOf(key, "fingerprint", expiresAt) });
  return write(
    world,
    holding(run, [eventOf(`run_${status}`)], {
      run: { status, completedAt: START },
      lease: { type: "finish" },
    }),
  );
}
