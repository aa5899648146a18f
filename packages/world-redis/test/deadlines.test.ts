import { setImmediate } from "node:timers/promises";
import { WorldError } from "@perdure/core/errors";
import type { Hint } from "@perdure/core/world";
import { sharedRedis } from "@perdure/testbed/redis";
import { claiming, event, hold, NOW, newRun } from "@perdure/testbed/requests";
import { refuses } from "@perdure/testbed/world-checks";
import { Redis } from "ioredis";
import { expect, it, onTestFinished, vi } from "vitest";
import { redisWorld } from "../src/index.ts";
import { proxyTo, urlOf } from "./proxy.ts";
import { LEASE, newNamespace, openWorld } from "./store.ts";

const { url } = await sharedRedis();
const port = Number(new URL(url).port);

/** What a call gives in the end: a busy machine may miss a deadline as short as these once more. */
async function again<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!WorldError.is(error) || !error.retryable) throw error;
    }
  }
}

it("a call on a half-open connection fails in time, and the next goes over a new one", async () => {
  const proxy = await proxyTo(port);
  const world = await openWorld({ url: proxy.url, namespace: newNamespace(), callTimeout: 200 });
  await world.createRuns([newRun("run-1", { lease: LEASE })], NOW);
  const before = proxy.connections;
  proxy.stall();
  const commit = hold("run-1", 1, [event("step_created", "step-1")]);
  await refuses(world.commit([commit], NOW), { message: /no answer within 200 ms/, retryable: true });
  expect(await again(() => world.commit([commit], NOW))).toMatchObject([{ outcome: "committed" }]);
  expect(proxy.connections).toBeGreaterThan(before);
});

it("time in which this process computes, and can hear no answer, does not count", async () => {
  const compute = (milliseconds: number): void => {
    const end = performance.now() + milliseconds;
    while (performance.now() < end);
  };
  const world = redisWorld({ url, namespace: newNamespace(), callTimeout: 200, patience: 200 });
  onTestFinished(() => world.close());
  const opening = world.open();
  await setImmediate();
  // Longer than opening may take.
  compute(1_200);
  await opening;
  const reading = world.getRuns(["run-1"]);
  await setImmediate();
  compute(400);
  expect(await reading).toEqual([null]);
});

it("a claim that was given up takes no runs later", async () => {
  const proxy = await proxyTo(port);
  const namespace = newNamespace();
  const world = await openWorld({ url: proxy.url, namespace, callTimeout: 200 });
  const other = await openWorld({ url, namespace });
  // The server has the script from here on, so that one that is sent again would be executed.
  await other.claim(claiming());
  await other.createRuns([newRun("run-1")], NOW);
  proxy.stallAll();
  await refuses(world.claim(claiming()), { message: /no answer/, retryable: true });
  // One that waits for a connection.
  await refuses(world.claim(claiming()), { message: /no answer/, retryable: true });
  proxy.heal();
  // What the client sends again on its new connection comes before this.
  await again(() => world.getRuns(["run-1"]));
  expect((await other.claim(claiming())).runs).toMatchObject([{ lost: false, run: { epoch: 1 } }]);
});

it("a client of the user's gets a new connection too, and stays open", async () => {
  const proxy = await proxyTo(port);
  const client = new Redis(proxy.url, { maxRetriesPerRequest: null });
  onTestFinished(() => client.disconnect());
  const world = await openWorld({ client, namespace: newNamespace(), callTimeout: 200 });
  proxy.stall();
  await refuses(world.getRuns(["run-1"]), { message: /no answer/, retryable: true });
  expect(await again(() => world.getRuns(["run-1"]))).toEqual([null]);
  expect(await client.ping()).toBe("PONG");
});

it("with a confirmation too", async () => {
  const proxy = await proxyTo(port);
  const namespace = newNamespace();
  await openWorld({ url, namespace });
  const world = redisWorld({
    url: proxy.url,
    namespace,
    durability: "replicated",
    callTimeout: 400,
    clock: "caller",
  });
  onTestFinished(() => world.close());
  // The server gives up waiting for the replica, which there is not, before the caller does.
  await refuses(world.open(), { message: /within 200 ms only 0 of 1 replicas have it/, retryable: true });
});

it("a subscription whose connection is half open gets a new one, and says that something may have changed", async () => {
  const proxy = await proxyTo(port);
  const namespace = newNamespace();
  const world = await openWorld({ url: proxy.url, namespace, callTimeout: 200 });
  const other = await openWorld({ url, namespace });
  const heard: Hint[] = [];
  world.subscribe((hint) => heard.push(hint));
  await vi.waitUntil(async () => {
    await other.createRuns([newRun(`run-${heard.length}-${Math.random()}`)], NOW);
    return heard.length > 0;
  }, 10_000);
  proxy.stall();
  heard.length = 0;
  await vi.waitUntil(() => heard.some(({ type }) => type === "changed"), { timeout: 10_000 });
  heard.length = 0;
  await vi.waitUntil(
    async () => {
      await other.createRuns([newRun(`later-${Math.random()}`)], NOW);
      return heard.some(({ type }) => type === "due");
    },
    { timeout: 10_000 },
  );
});

it("opening fails in time where a server takes the connection and says nothing", async () => {
  const silent = await urlOf(() => {});
  const error = await refuses(redisWorld({ url: silent, patience: 100 }).open(), {
    message: /was not opened within 1000 ms: it says nothing/,
    retryable: true,
  });
  expect(String(error)).toContain(new URL(silent).host);
  const client = new Redis(silent);
  client.on("error", () => {});
  onTestFinished(() => client.disconnect());
  await refuses(redisWorld({ client, patience: 100 }).open(), { message: /says nothing/, retryable: true });
});

it("opening fails in time where a server stops answering after its greeting", async () => {
  const proxy = await proxyTo(port);
  const client = new Redis(proxy.url);
  onTestFinished(() => client.disconnect());
  await client.ping();
  proxy.stallAll();
  const error = await redisWorld({ client, patience: 100 })
    .open()
    .catch((reason: unknown) => reason);
  expect(WorldError.is(error) && error.retryable).toBe(true);
});
