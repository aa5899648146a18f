import { step, workflow } from "@perdure/core";
import { Client, EngineWorker } from "@perdure/core/testing";
import { claiming, event, hold, NOW, newRun } from "@perdure/testbed/requests";
import { checkInvariants } from "@perdure/world-testkit/invariants";
import { BSON } from "mongodb";
import { expect, onTestFinished, test } from "vitest";
import { type Fault, startProxy } from "./proxy.ts";
import { lease, openWorld, temporaryDatabase } from "./store.ts";

/** A server that refuses one write of a command for good, and does the others. */

/** Updates above so many bytes make a document that is too large. */
const LARGEST = 10_000;
const tooLarge: Fault = {
  type: "refuse some",
  which: (statement) => BSON.calculateObjectSize(statement) > LARGEST,
  error: { code: 17419, errmsg: "Resulting document after update is larger than 16777216" },
};

const bodies: string[] = [];
const answer = step("refusals/answer", async (name: string, bytes: number) => {
  bodies.push(name);
  return "x".repeat(bytes);
});
const flow = workflow("refusals/flow", async (name: string, bytes: number) => {
  for (const part of ["a", "b", "c"]) await answer(`${name} ${part}`, part === "b" ? bytes : 1);
  return name;
});

test("a run whose result the server refuses does no harm to the others of its batch", async () => {
  const database = await temporaryDatabase();
  const proxy = await startProxy(database.url);
  const world = await openWorld({ ...database, url: proxy.url, clock: "store" });
  const logged: string[] = [];
  const log = (message: string) => void logged.push(message);
  const logger = { debug() {}, info() {}, warn: log, error: log };
  const worker = new EngineWorker({ world, logger, keepAlive: false, pollInterval: 200 });
  onTestFinished(() => worker.close());
  await worker.start();
  const client = new Client({ world });
  client.workers.add(worker);
  proxy.inject((name) => (name === "update" ? tooLarge : undefined));
  const bad = await client.start(flow, ["bad", LARGEST]);
  const names = Array.from({ length: 20 }, (_, index) => `good ${index}`);
  const good = await Promise.all(names.map((name) => client.start<string>(flow, [name, 1])));
  expect(await Promise.all(good.map((run) => run.returnValue))).toEqual(names);
  await expect.poll(() => bad.status).toBe("diverged");
  await worker.close();

  expect(bodies.filter((name) => name.startsWith("good")).toSorted()).toEqual(
    names.flatMap((name) => ["a", "b", "c"].map((part) => `${name} ${part}`)).toSorted(),
  );
  expect(bodies.filter((name) => name.startsWith("bad"))).toEqual(["bad a", "bad b"]);
  expect(logged).toContainEqual(expect.stringContaining("the store refused what a run has to write"));
  const [row] = await world.getRuns([bad.runId]);
  expect(new TextDecoder().decode(row?.error ?? undefined)).toContain("larger than the server takes");
  await checkInvariants(world);
});

test("what was written beside a refused commit, and has another owner since, is fenced and there once", async () => {
  const database = await temporaryDatabase();
  const world = await openWorld(database);
  const proxy = await startProxy(database.url);
  const behind = await openWorld({ ...database, url: proxy.url });
  await world.createRuns([newRun("parks", { lease }), newRun("large", { lease })], NOW);
  const data = new Uint8Array(LARGEST);
  const parks = {
    ...hold("parks", 1, [event("step_created", "s")]),
    lease: { type: "park", dueAt: NOW },
  } as const;
  const large = hold("large", 1, [{ ...event("step_completed", "s"), data }]);
  proxy.inject((name) => (name === "update" ? tooLarge : undefined));
  await expect(behind.commit([parks, large], NOW)).rejects.toMatchObject({ retryable: false });
  const { runs } = await world.claim(claiming({ limit: 1, owner: "other", claimId: "claim-2" }));
  expect(runs.map(({ run }) => run.runId)).toEqual(["parks"]);

  expect(await behind.commit([parks], NOW)).toMatchObject([{ outcome: "fenced" }]);
  await expect(behind.commit([large], NOW)).rejects.toMatchObject({ retryable: false });
  expect(await world.getRuns(["parks", "large"])).toMatchObject([{ seq: 2, epoch: 2 }, { seq: 1 }]);
  await checkInvariants(world);
});
