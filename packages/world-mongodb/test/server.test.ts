import type { Hint } from "@perdure/core/world";
import {
  type MongodbOptions,
  type MongodbServer,
  sharedMongodb,
  startMongodb,
} from "@perdure/testbed/mongodb";
import { event, hold, NOW, newRun } from "@perdure/testbed/requests";
import { expect, onTestFinished, test } from "vitest";
import { lease, openWorld } from "./store.ts";

/** What only MongoDB's own server can show. On a partial one these are skipped, with the reason. */

/** A server that may be killed; else the test is skipped, and says why. */
async function ownServer(skip: (reason: string) => never, options?: MongodbOptions): Promise<MongodbServer> {
  const { source, partial } = await sharedMongodb();
  if (partial !== null) skip(partial);
  if (source === "PERDURE_TEST_MONGODB_URL")
    skip("the server of PERDURE_TEST_MONGODB_URL is not ours to kill");
  const server = await startMongodb(options);
  onTestFinished(() => server.stop());
  return server;
}

test("what was acknowledged outlives kill -9 of the server", async ({ skip }) => {
  const server = await ownServer(skip);
  const world = await openWorld({ url: server.url, db: "shop" });
  await world.createRuns([newRun("run", { lease })], NOW);
  for (let seq = 1; seq <= 100; seq++) {
    await world.commit([hold("run", seq, [event("step_created", `${seq}`)])], NOW);
  }
  await server.crash();
  await server.restart();
  expect(await world.listEvents("run", 0, 200)).toHaveLength(101);
});

test("a commit under way when the server is killed is in or it is not, and sent again it is in", async ({
  skip,
}) => {
  const server = await ownServer(skip);
  const world = await openWorld({ url: server.url, db: "shop" });
  await world.createRuns([newRun("run", { lease })], NOW);
  for (let seq = 1; seq <= 50; seq++) {
    const commit = hold("run", seq, [event("step_created", `${seq}`)]);
    if (seq % 10 !== 0) await world.commit([commit], NOW);
    else {
      const [answer] = await Promise.allSettled([world.commit([commit], NOW), server.crash()]);
      await server.restart();
      if (answer.status === "rejected") {
        expect(await world.commit([commit], NOW)).toMatchObject([{ outcome: "committed" }]);
      }
    }
  }
  expect(await world.listEvents("run", 0, 100)).toHaveLength(51);
}, 120_000);

test("a replica set: its change stream hints at the writes of others", async ({ skip }) => {
  const server = await ownServer(skip, { replicaSet: true });
  const database = { url: server.url, db: "shop" };
  const world = await openWorld(database);
  expect(world.capabilities).toMatchObject({ durability: "machine", notifications: true });
  expect(world.describe().topology).toBe("replica set");
  const heard = new Promise<Hint>((resolve) => {
    world.subscribe((hint) => {
      if (hint.type === "changed") resolve(hint);
    });
  });
  const other = await openWorld(database);
  // A stream begins a moment after it is asked for: one of these writes comes later.
  let waiting = true;
  void heard.then(() => {
    waiting = false;
  });
  for (let index = 0; waiting; index++) await other.createRuns([newRun(`run-${index}`)], NOW);
  expect(await heard).toEqual({ type: "changed" });
});
