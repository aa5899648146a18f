import { event, hold, NOW, newRun } from "@perdure/testbed/requests";
import { checkInvariants } from "@perdure/world-testkit/invariants";
import { BSON } from "mongodb";
import { expect, test } from "vitest";
import { documents, lease, openWorld, temporaryDatabase } from "./store.ts";

/** What of a mailbox is in the run document. */

test("a mailbox of any length: the run document keeps the newest ids only, every message counts once", async () => {
  const database = await temporaryDatabase();
  const world = await openWorld(database);
  await world.createRuns([newRun("run", { lease })], NOW);
  const message = (index: number) =>
    ({
      messageId: `m${index}`,
      to: { runId: "run" },
      type: "wake",
      at: NOW,
      data: new Uint8Array([index]),
    }) as const;
  for (let from = 0; from < 200; from += 10) {
    await world.deliver(
      Array.from({ length: 10 }, (_, index) => message(from + index)),
      NOW,
    );
  }
  const [run] = await documents(database, "perdure_runs");
  expect(Object.keys(run?.mail as object).length).toBeLessThan(80);
  const [mail] = await world.listMail([{ runId: "run", after: 0 }]);
  expect(mail?.map(({ messageId }) => messageId)).toEqual(
    Array.from({ length: 200 }, (_, index) => `m${index}`),
  );

  await world.commit([{ ...hold("run", 1, [event("hook_received")]), mailDone: 150 }], NOW);
  const again = await world.deliver([message(0), message(149), message(199)], NOW);
  expect(again.map(({ outcome }) => outcome)).toEqual(["delivered", "delivered", "delivered"]);
  expect(await world.getRuns(["run"])).toMatchObject([{ mailSeq: 200, mailDone: 150 }]);
  const [left] = await world.listMail([{ runId: "run", after: 0 }]);
  expect(left?.map(({ mailSeq }) => mailSeq)).toEqual(Array.from({ length: 50 }, (_, index) => 151 + index));
  await checkInvariants(world);
});

test("a run that thousands watch: its document keeps the newest ids only, and every end mail is read", async () => {
  const database = await temporaryDatabase();
  const world = await openWorld(database);
  await world.createRuns([newRun("run", { lease })], NOW);
  const data = new Uint8Array(100);
  for (let from = 0; from < 1_000; from += 50) {
    const batch = Array.from({ length: 50 }, (_, index) => ({
      ...{ messageId: `m${from + index}`, to: { runId: "run" }, type: "end", at: NOW, data, atEnd: true },
    }));
    await world.deliver(batch, NOW);
  }
  const [run = {}] = await documents(database, "perdure_runs");
  expect(BSON.calculateObjectSize(run)).toBeLessThan(8_000);
  expect(
    await world.deliver(
      [{ messageId: "m0", to: { runId: "run" }, type: "end", at: NOW, data, atEnd: true }],
      NOW,
    ),
  ).toMatchObject([{ outcome: "delivered" }]);
  expect(await world.getRuns(["run"])).toMatchObject([{ endSeq: 1_000, mailSeq: 0 }]);
  for (const [after, limit] of [
    [0, 70],
    [900, 7],
    [930, 100],
    [990, 100],
    [1_000, 5],
  ] as const) {
    const page = await world.listEndMail("run", after, limit);
    const expected = Array.from({ length: Math.min(limit, 1_000 - after) }, (_, index) => after + 1 + index);
    expect(page.map(({ mailSeq }) => mailSeq)).toEqual(expected);
    expect(page.map(({ messageId }) => messageId)).toEqual(expected.map((seq) => `m${seq - 1}`));
  }
  await checkInvariants(world);
});

test("a busy run gets its mail: what commits change is not what a delivery depends on", async () => {
  const database = await temporaryDatabase();
  const busy = await openWorld(database);
  await busy.createRuns([newRun("run", { lease })], NOW);
  let seq = 1;
  let looks = 0;
  const sender = await openWorld({
    ...database,
    // Between every look at the run and the delivery the run makes a step.
    async beforeOperation(operation) {
      if (operation === "find runs") looks++;
      if (operation !== "deliver") return;
      const commit = { ...hold("run", seq, [event("step_created", `${seq}`)]), mailDone: seq - 1 };
      await busy.commit([commit], NOW);
      seq++;
    },
  });
  for (let sent = 0; sent < 10; sent++) {
    const message = {
      messageId: `m${sent}`,
      to: { runId: "run" },
      type: "wake",
      at: NOW,
      data: null,
    } as const;
    expect(await sender.deliver([message], NOW)).toMatchObject([{ outcome: "delivered" }]);
  }
  expect(looks).toBe(10);
  expect(await busy.getRuns(["run"])).toMatchObject([{ seq: 11, mailSeq: 10 }]);
  await checkInvariants(busy);
});
