import { deepEqual } from "node:assert/strict";
import { deliverOne, leasedRun } from "../acts.ts";
import type { Law } from "../law.ts";
import { toRun } from "../requests.ts";
import { same } from "../same.ts";

/** Reading what belongs to runs: in order, whole, and stable while others write. */
export const reads: Law = {
  name: "reads",
  cases: {
    "rows come in the order in which they were asked for": async (stage) => {
      const world = await stage.open();
      const [one, two] = [await leasedRun(world), await leasedRun(world)];
      const ids = [two.runId, "wrun_unknown", one.runId, two.runId, ""];
      same(await world.getRuns(ids), [two, null, one, two, null]);
      deepEqual(await world.getRuns([]), []);
    },

    "mail of several runs comes in the order in which it was asked for": async (stage) => {
      const world = await stage.open();
      const [one, two] = [await leasedRun(world), await leasedRun(world)];
      for (const id of ["a", "b"]) await deliverOne(world, toRun(one.runId, `1${id}`));
      await deliverOne(world, toRun(two.runId, "2a"));
      const lists = await world.listMail([
        { runId: two.runId, after: 0 },
        { runId: "wrun_unknown", after: 0 },
        { runId: one.runId, after: 1 },
        { runId: two.runId, after: 1 },
      ]);
      deepEqual(
        lists.map((list) => list.map(({ messageId }) => messageId)),
        [["2a"], [], ["1b"], []],
      );
      deepEqual(await world.listMail([]), []);
    },
  },
};
