import { inspect } from "node:util";
import type { World } from "@perdure/core/world";
import { startRedis } from "@perdure/testbed/redis";
import { event, firstClaim, hold, NOW, newRun, taking } from "@perdure/testbed/requests";
import { Cluster, Redis } from "ioredis";
import { afterAll, expect, it, onTestFinished, vi } from "vitest";
import { type RedisWorldOptions, redisWorld } from "../src/index.ts";
import { proxyTo, urlOf } from "./proxy.ts";
import { LEASE, newNamespace, openWorld } from "./store.ts";

/** Stands in every place that holds a secret. */
const SECRET = "pl4nted-s3cret";

const server = await startRedis({ settings: { appendonly: "no" } });
afterAll(() => server.stop());
const admin = new Redis(server.url);
afterAll(() => admin.disconnect());
await admin.call("ACL", "SETUSER", "owner", "on", `>${SECRET}`, "~*", "&*", "+@all");
const withPassword = server.url.replace("redis://", `redis://owner:${SECRET}@`);

/** Everything that is written to the console while the test runs. */
function printed(): () => string {
  const spies = (["log", "info", "warn", "error", "debug"] as const).map((name) =>
    vi.spyOn(console, name).mockImplementation(() => {}),
  );
  onTestFinished(() => {
    for (const spy of spies) spy.mockRestore();
  });
  return () =>
    inspect(
      spies.map((spy) => spy.mock.calls),
      { depth: 20 },
    );
}

const told = (value: unknown): string => inspect(value, { depth: 20, getters: true });

async function failureOf(call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(Error);
  return `${told(error)} ${JSON.stringify(error)} ${(error as Error).stack}`;
}

/** Every verb that sends something secret. */
function secretCalls(world: World): (() => Promise<unknown>)[] {
  const data = new TextEncoder().encode(JSON.stringify(SECRET));
  const names = [firstClaim(SECRET, { fingerprint: SECRET, data })];
  const mail = [{ messageId: SECRET, id: SECRET, type: "hook_received", at: NOW, data }];
  const events = [{ ...event("run_created"), data }];
  const secretEvent = { ...event("step_completed", "step-1"), data };
  return [
    () => world.createRuns([newRun("run-2", { names, mail, events, idempotencyKey: SECRET })], NOW),
    () => world.commit([hold("run-1", 1, [secretEvent])], NOW),
    () => world.commit([hold("run-1", 1, [{ ...taking("hook-1", SECRET), data }])], NOW),
    () =>
      world.deliver([{ messageId: SECRET, to: { name: SECRET }, type: "hook_received", at: NOW, data }], NOW),
    () => world.deliver([{ messageId: SECRET, to: { runId: "run-1" }, type: "wake", at: NOW, data }], NOW),
    () => world.getNames([SECRET], NOW),
    () => world.listNames({ prefix: SECRET, limit: 10, now: NOW }),
    () =>
      world.writeRecords([{ key: SECRET, writeId: SECRET, ifVersion: null, value: data, ttl: null }], NOW),
    () => world.listRecords({ prefix: SECRET, limit: 10, now: NOW }),
  ];
}

it("no password in what opening fails with", async () => {
  const output = printed();
  const wrong = server.url.replace("redis://", `redis://owner:${SECRET}-not-it@`);
  const silent = (await urlOf(() => {})).replace("redis://", `redis://owner:${SECRET}@`);
  const echoing = await urlOf((socket) =>
    socket.on("data", (data) =>
      socket.write(
        `-ERR unknown command 'HELLO', with args beginning with: ${data}\r\n`.replace(/\r\n(?=.)/g, " "),
      ),
    ),
  );
  const client = new Redis(wrong);
  client.on("error", () => {});
  const cluster = new Cluster([wrong]);
  cluster.on("error", () => {});
  onTestFinished(() => {
    client.disconnect();
    cluster.disconnect();
  });
  const failing: RedisWorldOptions[] = [
    { url: wrong },
    { url: `redis://owner:${SECRET}@127.0.0.1:1` },
    { url: silent, patience: 100 },
    { url: withPassword.replace("redis:", "rediss:"), patience: 100 },
    { url: `${withPassword}/99` },
    { url: server.url, connection: { username: "nobody", password: SECRET } },
    { url: echoing.replace("redis://", `redis://owner:${SECRET}@`), patience: 100 },
    { cluster: [wrong] },
    { cluster: [`redis://127.0.0.1:1?password=${SECRET}`] },
    {
      sentinel: { name: "main", nodes: [{ host: "127.0.0.1", port: 1 }] },
      connection: { password: SECRET },
      patience: 100,
    },
    { client },
    { client: cluster },
    { url: withPassword, connection: { stringNumbers: true } },
  ];
  for (const options of failing) {
    const world = redisWorld(options);
    expect(await failureOf(world.open()), told({ ...options, client: null })).not.toContain(SECRET);
    expect(told(world) + told(world.capabilities)).not.toContain(SECRET);
  }
  expect(output()).not.toContain(SECRET);
});

it("nothing secret in the options that make no sense", () => {
  for (const url of [`http://${SECRET}@host`, `redis://a:${SECRET}/b@host`, `redis://host/${SECRET}`]) {
    expect(() => redisWorld({ url })).toThrow(TypeError);
    try {
      redisWorld({ url });
    } catch (error) {
      expect(told(error)).not.toContain(SECRET);
    }
  }
});

it("no name, message id or payload in what calls fail with, however the server fails", async () => {
  const output = printed();
  const proxy = await proxyTo(server.port);
  const url = proxy.url.replace("redis://", `redis://owner:${SECRET}@`);
  const namespace = newNamespace();
  const world = await openWorld({ url, namespace, callTimeout: 300, patience: 0 });
  await world.createRuns([newRun("run-1", { lease: LEASE })], NOW);
  expect(told(world) + told(world.capabilities) + JSON.stringify(world.capabilities)).not.toContain(SECRET);
  expect(told(world.describe())).not.toContain(SECRET);
  const base = `perdure{${namespace}:0}:`;
  const failures: readonly (readonly [fail: () => Promise<unknown>, heal: () => Promise<unknown>])[] = [
    [
      () => admin.call("ACL", "SETUSER", "owner", "-evalsha", "-eval"),
      () => admin.call("ACL", "SETUSER", "owner", "+@all"),
    ],
    [() => admin.rename(`${base}meta`, `${base}away`), () => admin.rename(`${base}away`, `${base}meta`)],
    [() => admin.replicaof("127.0.0.1", 1), () => admin.replicaof("NO", "ONE")],
    [async () => proxy.stallAll(), async () => proxy.heal()],
  ];
  for (const [fail, heal] of failures) {
    await fail();
    for (const call of secretCalls(world)) {
      const error = await call().then(
        () => undefined,
        (reason: unknown) => reason,
      );
      if (error !== undefined) expect(told(error)).not.toContain(SECRET);
    }
    await heal();
  }
  await vi.waitUntil(() => world.getRuns(["run-1"]).catch(() => null), { timeout: 10_000 });
  const damaged = ["names", "listed", "i:run-1", "r:run-2", "j:run-1", `record:${SECRET}`, "records"];
  for (const key of damaged) await admin.set(base + key, "x");
  for (const call of secretCalls(world)) {
    expect(await failureOf(call())).not.toContain(SECRET);
  }
  expect(output()).not.toContain(SECRET);
});
