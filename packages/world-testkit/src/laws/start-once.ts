import { deepEqual, equal } from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import type { CreateRunResult, World } from "@perdure/core/world";
import { claimOne, createOne, holderOf, journalOf, leasedRun, mailOf, only, rowOf, write } from "../acts.ts";
import { readStore } from "../invariants/index.ts";
import type { Law } from "../law.ts";
import {
  ALICE,
  BOB,
  bytesOf,
  eventOf,
  firstClaim,
  firstMail,
  holding,
  leaseOf,
  newRun,
  parking,
  START,
  stepCreated,
  TTL,
  WORKFLOW,
} from "../requests.ts";
import { same } from "../same.ts";

/** `createRuns`: a run appears whole, and once for its id and for each of its names. */
export const startOnce: Law = {
  name: "start-once",
  cases: {
    "row, events, names and due time appear together": async (stage) => {
      const world = await stage.open();
      const events = [
        eventOf("run_created", { at: START - 5, name: "a name", data: bytesOf("arguments") }),
        eventOf("hook_created", { at: START - 3, id: "hook-1" }),
        eventOf("of_a_type_to_come", { at: START + 9, id: "", data: bytesOf("more") }),
      ];
      const run = newRun({
        events,
        queue: "queue-1",
        attributes: { plan: "paid" },
        state: bytesOf("begun"),
        dueAt: START + 77,
        idempotencyKey: "order-1",
        names: [
          firstClaim("start order-1", { id: "start", fingerprint: "print", keepFor: null }),
          firstClaim("token-1", { id: "hook-1", data: bytesOf("metadata") }),
        ],
      });
      same(only(await world.createRuns([run], START)), { outcome: "created", lease: null });
      const other = await stage.open();
      same(await rowOf(other, run.runId), {
        runId: run.runId,
        workflow: WORKFLOW,
        queue: "queue-1",
        status: "pending",
        epoch: 0,
        claimId: null,
        lostClaims: 0,
        generation: 0,
        firstSeq: 1,
        seq: 3,
        bytes: "arguments".length + "more".length,
        mailSeq: 0,
        mailDone: 0,
        endSeq: 0,
        endDone: 0,
        owner: null,
        dueAt: START + 77,
        output: null,
        error: null,
        state: bytesOf("begun"),
        attributes: { plan: "paid" },
        idempotencyKey: "order-1",
        createdAt: START - 5,
        startedAt: null,
        completedAt: null,
      });
      same(
        await journalOf(other, run.runId),
        events.map((event, index) => ({ ...event, seq: index + 1 })),
      );
      const held = { runId: run.runId, createdAt: START - 5 };
      same(await other.getNames(["token-1", "start order-1", "order-1"], START), [
        { ...held, name: "token-1", id: "hook-1", fingerprint: null, data: bytesOf("metadata") },
        { ...held, name: "start order-1", id: "start", fingerprint: "print", data: null },
        null,
      ]);
    },

    "the first lease comes in the same act": async (stage) => {
      const world = await stage.open();
      const lease = leaseOf();
      const run = newRun({ lease });
      const result = await createOne(world, run);
      const { claimId } = lease;
      same(result, { outcome: "created", lease: { runId: run.runId, epoch: 1, claimId } });
      const { epoch, owner, dueAt, ...row } = await rowOf(world, run.runId);
      same([epoch, owner, dueAt, row.claimId], [1, ALICE, START + TTL, claimId]);
      equal(await claimOne(await stage.open()), undefined, "nobody else can claim it");
      await write(world, holding(await rowOf(world, run.runId), [stepCreated("step-1")]));
    },

    "a hundred starts with one name on four Worlds make one run": async (stage) => {
      const worlds = await stage.openMany(4);
      const starts = Array.from({ length: 100 }, (_, index) =>
        newRun({
          names: [firstClaim("order-1")],
          lease: index % 2 === 0 ? leaseOf() : null,
        }),
      );
      const results = await Promise.all(
        starts.map((run, index) => createOne(worlds[index % 4] ?? (worlds[0] as never), run)),
      );
      const winners = starts.filter((_, index) => results[index]?.outcome === "created");
      equal(winners.length, 1, "runs created");
      const [world] = worlds as [(typeof worlds)[0]];
      const winner = await rowOf(world, winners[0]?.runId ?? "");
      const name = await holderOf(world, "order-1");
      for (const result of results) {
        if (result.outcome !== "created") same(result, { outcome: "held", name, run: winner });
      }
      const rows = await world.getRuns(starts.map(({ runId }) => runId));
      equal(rows.filter((row) => row !== null).length, 1, "the losers' runs do not exist");
    },

    "one name twice in one batch is one run": async (stage) => {
      const world = await stage.open();
      const batch = [
        newRun({ names: [firstClaim("order-1")] }),
        newRun({ names: [firstClaim("order-1")] }),
        newRun({ names: [firstClaim("order-1", { fingerprint: "other" })] }),
        newRun(),
        newRun({ names: [firstClaim("order-2")] }),
      ];
      const results = await world.createRuns(batch, START);
      deepEqual(outcomes(results), ["created", "held", "held", "created", "created"]);
      const winner = await rowOf(world, batch[0]?.runId ?? "");
      const name = await holderOf(world, "order-1");
      for (const loser of [results[1], results[2]]) same(loser, { outcome: "held", name, run: winner });
    },

    "starts that lose write nothing": async (stage) => {
      const world = await stage.open();
      await createOne(world, newRun({ names: [firstClaim("order-1")] }));
      const before = await readStore(world);
      const lease = leaseOf();
      const loser = newRun({ names: [firstClaim("order-1")], lease });
      const stranger = newRun({ names: [firstClaim("order-1", { fingerprint: "other" })], lease });
      for (let sending = 0; sending < 2; sending++) {
        deepEqual(outcomes(await world.createRuns([loser, stranger], START)), ["held", "held"]);
      }
      same(await readStore(world), before);
    },

    "the same request again answers `created` and writes nothing": async (stage) => {
      const world = await stage.open();
      const run = newRun({
        names: [firstClaim("order-1")],
        events: [eventOf("run_created", { data: bytesOf("a") })],
      });
      equal((await createOne(world, run)).outcome, "created");
      const claimed = await claimOne(world);
      if (claimed === undefined) throw new Error("the run was not claimed");
      await write(world, parking(claimed.run, START + 500, [stepCreated("step-1")]));
      const before = await readStore(world);
      same(await createOne(await stage.open(), run, START + 9), { outcome: "created", lease: null });
      same(await readStore(world), before);
    },

    "the same request ten times at once makes one run": async (stage) => {
      const worlds = await stage.openMany(5);
      const lease = leaseOf();
      const run = newRun({ names: [firstClaim("order-1")], lease });
      const results = await Promise.all([...worlds, ...worlds].map((world) => createOne(world, run)));
      for (const result of results) {
        same(result, { outcome: "created", lease: { runId: run.runId, epoch: 1, claimId: lease.claimId } });
      }
    },

    "a reader finds a new run whole, or not at all": async (stage) => {
      const [world, reader] = (await stage.openMany(2)) as [World, World];
      const runs = Array.from({ length: 30 }, (_, index) => {
        const [one, two] = [`${index}-one`, `${index}-two`];
        return newRun({
          events: [eventOf("run_created"), ...["a", "b"].map(stepCreated)],
          names: [firstClaim(one), firstClaim(two)],
          mail: [firstMail(`m1 of ${index}`, one), firstMail(`m2 of ${index}`, two)],
        });
      });
      let writing = true;
      const reading = async () => {
        for (let turns = 0; writing || turns < runs.length; turns++) {
          const run = runs[turns % runs.length];
          if (run === undefined) break;
          const names = run.names.map(({ name }) => name);
          const first = turns % 2 === 0 ? await holderOf(reader, names[turns % 4 === 0 ? 0 : 1] ?? "") : null;
          const [row] = await reader.getRuns([run.runId]);
          equal(first === null || row !== null, true, "a name that is held is that of a run");
          if (row) {
            same([row?.seq, row?.mailSeq], [3, 2]);
            equal((await journalOf(reader, run.runId)).length, 3);
            equal((await mailOf(reader, run.runId)).length, 2);
            same(
              (await reader.getNames(names, START)).map((held) => held?.runId),
              [run.runId, run.runId],
            );
          }
          await turn();
        }
      };
      const write30 = async () => {
        for (const run of runs) equal((await createOne(world, run)).outcome, "created");
      };
      await Promise.all([
        reading(),
        write30().finally(() => {
          writing = false;
        }),
      ]);
    },

    "the key given to a start is for reading only": async (stage) => {
      const world = await stage.open();
      const batch = [1, 2].map(() => newRun({ idempotencyKey: "order-1" }));
      deepEqual(outcomes(await world.createRuns(batch, START)), ["created", "created"]);
      for (const { runId } of batch) equal((await rowOf(world, runId)).idempotencyKey, "order-1");
      equal(await holderOf(world, "order-1"), null);
    },

    "the first lease is given again only while the run still has it": async (stage) => {
      const world = await stage.open();
      const lease = leaseOf();
      const request = newRun({ lease });
      const run = await leasedRun(world, request);
      const again = async (asked = lease) => {
        const result = await createOne(world, { ...request, lease: asked });
        return result.outcome === "created" ? result.lease : result.outcome;
      };
      same(await again(), { runId: run.runId, epoch: 1, claimId: lease.claimId });
      same(await again(leaseOf(BOB)), null, "another worker does not get it");
      same(await again(leaseOf()), null, "nor another claim of the same worker");
      await write(world, parking(run, START, [stepCreated("step-1")]));
      same(await again(), null, "a released lease is gone");
      equal((await claimOne(world, { owner: ALICE }))?.run.epoch, 2);
      same(await again(), null, "a later lease is not the first");
    },
  },
};

function outcomes(results: readonly CreateRunResult[]): string[] {
  return results.map(({ outcome }) => outcome);
}
