import { equal } from "node:assert/strict";
import type { CreateRun, CreateRunResult, World } from "@perdure/core/world";
import { createOne, deliverOne, holderOf, leasedRun, only, rowOf, write } from "../acts.ts";
import { readStore } from "../invariants/index.ts";
import type { Law } from "../law.ts";
import {
  bytesOf,
  eventOf,
  finishing,
  firstClaim,
  firstMail,
  holding,
  leaseOf,
  newRun,
  releasing,
  START,
  taking,
  toName,
} from "../requests.ts";
import { same } from "../same.ts";

/** The names of a start: it gets all of them or there is no run, and a name may pass to it from a run that has ended. */
export const nameStarts: Law = {
  name: "name-starts",
  cases: {
    "a run has all of its names from its first moment": async (stage) => {
      const world = await stage.open();
      const claims = ["c", "a", "b"].map((name) =>
        firstClaim(name, { id: `id of ${name}`, data: bytesOf(name), fingerprint: `print of ${name}` }),
      );
      const run = newRun({ names: claims });
      equal((await createOne(world, run)).outcome, "created");
      for (const { name, id, fingerprint, data } of claims) {
        const held = { name, id, runId: run.runId, fingerprint, data, createdAt: START };
        same(await holderOf(await stage.open(), name), held);
        const sent = await deliverOne(world, toName(name, `mail to ${name}`));
        same(sent, { outcome: "delivered", runId: run.runId, id });
      }
    },

    "a start is told the first name, in its order, that another run has; and nothing is written": async (
      stage,
    ) => {
      const world = await stage.open();
      const one = await leasedRun(world, { names: [firstClaim("a")] });
      const two = await write(world, holding(await leasedRun(world), [taking("hook-1", "c")]));
      const before = await readStore(world);
      for (const [order, name, run] of [
        [["b", "a", "c"], "a", one],
        [["c", "b", "a"], "c", two],
        [["d", "b", "c"], "c", two],
      ] as const) {
        const start = starting(order);
        same(await createOne(world, start), { outcome: "held", name: await holderOf(world, name), run });
        equal(only(await world.getRuns([start.runId])), null);
      }
      same(await readStore(world), before);
      equal((await createOne(world, starting(["b", "d"]))).outcome, "created", "b and d are free still");
    },

    "a start that did not come to be holds nothing, also not for its batch": async (stage) => {
      const world = await stage.open();
      const owner = await leasedRun(world, { names: [firstClaim("taken")] });
      const batch = [
        starting(["x", "taken"]),
        starting(["x", "y"]),
        starting(["z", "y"]),
        starting(["z"]),
        starting(["taken", "y", "z"]),
        starting(["y", "taken"]),
      ];
      const results = await world.createRuns(batch, START);
      const [lost, xy, zy, z] = batch.map(({ runId }) => runId);
      same(results.map(holderIn), [owner.runId, null, xy, null, owner.runId, xy]);
      same(await holdersOf(world, ["x", "y", "z", "taken"]), [xy, xy, z, owner.runId]);
      same((await world.getRuns([lost ?? "", zy ?? ""])).map(Boolean), [false, false]);
      for (const result of results) {
        if (result.outcome === "held") same(result.run, await rowOf(world, result.run.runId));
      }
    },

    "of two starts in one batch the earlier has the name, whatever their run ids": async (stage) => {
      const world = await stage.open();
      const [low, high] = [starting(["x", "y"]), starting(["y", "x"])];
      const results = await world.createRuns([high, low], START);
      same(results.map(holderIn), [null, high.runId]);
      const [again] = await world.createRuns([low], START);
      same(again, { outcome: "held", name: await holderOf(world, "x"), run: await rowOf(world, high.runId) });
    },

    "the same request again writes nothing, whoever has the names by then": async (stage) => {
      const world = await stage.open();
      const request = starting(["a", "b"]);
      equal((await createOne(world, request)).outcome, "created");
      const { runs } = await world.claim({
        queues: [],
        runIds: [request.runId],
        limit: 1,
        byteLimit: 1_000,
        owner: "worker",
        claimId: "the claim",
        ttl: 1_000,
        now: START,
        cached: new Map(),
        eventLimit: 10,
      });
      const run = await write(world, holding(only(runs).run, [releasing("a")]));
      for (const taken of [false, true]) {
        if (taken) equal((await createOne(world, starting(["a"]))).outcome, "created");
        const before = await readStore(world);
        same(await createOne(await stage.open(), request), { outcome: "created", lease: null });
        same(await readStore(world), before);
      }
      await write(world, finishing(run));
      equal((await createOne(world, starting(["b"]))).outcome, "created");
      const before = await readStore(world);
      same(await createOne(world, request), { outcome: "created", lease: null });
      same(await readStore(world), before);
    },

    "a name passes from a run that has ended, whatever its times": async (stage) => {
      const world = await stage.open();
      const claims = [firstClaim("a", { keepFor: null }), firstClaim("b", { freeAt: START + 1_000_000 })];
      const old = await leasedRun(world, { names: claims });
      const taken = taking("hook-1", "d", { keepFor: null });
      const ended = await write(world, finishing(old, START, [taken]));
      const request = newRun({
        names: [
          ...claims.map((claim) => ({ ...claim, from: old.runId, id: `new ${claim.id}` })),
          firstClaim("c", { from: old.runId }),
          firstClaim("d", { from: old.runId, fingerprint: "print", data: bytesOf("new") }),
        ],
        events: [eventOf("run_created", { at: START + 4 })],
      });
      const runIds = request.names.map(() => request.runId);
      for (let sending = 0; sending < 2; sending++) {
        same(await createOne(world, request), { outcome: "created", lease: null });
        same(await holdersOf(world, ["a", "b", "c", "d"]), runIds);
      }
      same(await holderOf(world, "d"), {
        name: "d",
        id: "d",
        runId: request.runId,
        fingerprint: "print",
        data: bytesOf("new"),
        createdAt: START + 4,
      });
      same((await world.listNames({ runId: old.runId, limit: 9, now: START })).names, []);
      const sent = await deliverOne(world, toName("a", "m1"));
      same(sent, { outcome: "delivered", runId: request.runId, id: "new a" });
      same(await rowOf(world, old.runId), ended, "the old run stays as it is");
      equal(await world.deleteRuns([old.runId]), 1);
      same(await holdersOf(world, ["a", "b", "c", "d"]), runIds);
    },

    "a name does not pass from a run that goes on, nor from another run": async (stage) => {
      const world = await stage.open();
      const old = await leasedRun(world, { names: [firstClaim("a", { keepFor: null })] });
      const request = newRun({ names: [firstClaim("a", { from: old.runId })] });
      same(await createOne(world, request), { outcome: "held", name: await holderOf(world, "a"), run: old });
      const run = await write(world, finishing(old));
      const held = { outcome: "held", name: await holderOf(world, "a"), run };
      for (const from of [null, "wrun_unknown", (await leasedRun(world)).runId]) {
        same(await createOne(world, newRun({ names: [firstClaim("a", { from })] })), held);
      }
      equal((await createOne(world, request)).outcome, "created", "once it has ended it does");
    },

    "a name stays where it was when the new run does not come to be": async (stage) => {
      const world = await stage.open();
      await leasedRun(world, { names: [firstClaim("taken")] });
      const old = await leasedRun(world, { names: [firstClaim("a", { keepFor: null })] });
      await deliverOne(world, toName("a", "m1"));
      await write(world, finishing(old));
      const passing = firstClaim("a", { from: old.runId });
      const before = await readStore(world);
      const results = await world.createRuns(
        [
          newRun({ names: [passing, firstClaim("taken")] }),
          newRun({ names: [firstClaim("taken"), passing] }),
          newRun({ names: [passing], mail: [firstMail("m1", "a")] }),
        ],
        START,
      );
      same(
        results.map((result) => (result.outcome === "held" ? result.name.name : result)),
        ["taken", "taken", { outcome: "mailed", messageId: "m1", runId: old.runId }],
      );
      same(await readStore(world), before);
      const next = newRun({ names: [passing] });
      equal((await createOne(world, next)).outcome, "created");
      const late = await createOne(world, newRun({ names: [passing] }));
      equal(holderIn(late), next.runId, "it passes once");
    },

    "a name that has passed on does not come back": async (stage) => {
      const world = await stage.open();
      const request = newRun({ names: [firstClaim("a", { keepFor: null })], lease: leaseOf() });
      const old = await leasedRun(world, request);
      const ended = await write(world, finishing(old));
      const passing = [firstClaim("a", { from: old.runId, keepFor: 5 })];
      const free = [
        async () => {
          const next = await leasedRun(world, { names: passing });
          await write(world, finishing(await write(world, holding(next, [releasing("a")]))));
        },
        async () => {
          const next = await leasedRun(world, { names: [firstClaim("a")] });
          await write(world, finishing(next));
        },
        async () => {
          const next = await leasedRun(world, { names: [firstClaim("a", { keepFor: null })] });
          await write(world, finishing(next));
          equal(await world.deleteRuns([next.runId]), 1);
        },
      ];
      for (const [index, loses] of free.entries()) {
        await loses();
        same(await createOne(world, request), { outcome: "created", lease: null });
        same(await holderOf(world, "a"), null, `way ${index}`);
        const listed = await world.listNames({ runId: old.runId, limit: 9, now: START });
        same(listed.names, [], `way ${index}`);
      }
      same(await rowOf(world, old.runId), ended);
    },

    "a name passes on within a batch": async (stage) => {
      const world = await stage.open();
      const old = await leasedRun(world, { names: [firstClaim("a", { keepFor: null })] });
      await write(world, finishing(old));
      const [first, second] = [1, 2].map(() => newRun({ names: [firstClaim("a", { from: old.runId })] })) as [
        CreateRun,
        CreateRun,
      ];
      const results = await world.createRuns([second, first], START);
      same(results.map(holderIn), [null, second.runId]);
    },
  },
};

function starting(names: readonly string[]): CreateRun {
  return newRun({ names: names.map((name) => firstClaim(name)) });
}

/** The run that has the name for which a start was refused. */
function holderIn(result: CreateRunResult): string | null {
  if (result.outcome !== "held") return null;
  equal(result.name.runId, result.run.runId);
  return result.run.runId;
}

async function holdersOf(world: World, names: readonly string[]): Promise<(string | null)[]> {
  return (await world.getNames(names, START)).map((held) => held?.runId ?? null);
}
