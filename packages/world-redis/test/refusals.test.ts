import { createServer } from "node:http";
import type { World } from "@perdure/core/world";
import { startRedis } from "@perdure/testbed/redis";
import { startRedisCluster } from "@perdure/testbed/redis-groups";
import { event, firstClaim, hold, NOW, newRun, taking } from "@perdure/testbed/requests";
import { refuses } from "@perdure/testbed/world-checks";
import { Cluster, Redis } from "ioredis";
import { afterAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { type RedisWorldOptions, redisWorld } from "../src/index.ts";
import { urlOf } from "./proxy.ts";
import { connectTo, keysWith, LEASE, newNamespace, openWorld } from "./store.ts";

const server = await startRedis({ settings: { appendonly: "no" } });
const locked = await startRedis({ settings: { appendonly: "no" } });
const key = new Redis(locked.url);
await key.config("SET", "requirepass", "right-one");
key.disconnect();
afterAll(() => Promise.all([server.stop(), locked.stop()]));

const opening = (options: RedisWorldOptions): Promise<void> => redisWorld(options).open();

describe("opening tells one mistake from another", () => {
  it.each(["", ":wrong-one@", "somebody:wrong-one@"])("password %j", async (login) => {
    const url = locked.url.replace("redis://", `redis://${login}`);
    await refuses(opening({ url }), { message: /password/, retryable: false });
    const client = connectTo(url);
    await refuses(opening({ client }), { message: /password/, retryable: false });
  });

  it("the right password", async () => {
    await openWorld({ url: locked.url, connection: { password: "right-one" } });
  });

  it("a port where nothing listens", async () => {
    const error = await refuses(opening({ url: "redis://127.0.0.1:1" }), {
      message: /127\.0\.0\.1:1 cannot be reached/,
      retryable: true,
    });
    expect(String((error as Error).cause)).toContain("ECONNREFUSED");
  });

  it("a host that there is not", async () => {
    await refuses(opening({ url: "redis://no-such-host.invalid" }), {
      message: /no-such-host.*cannot be reached/,
      retryable: true,
    });
  });

  it("TLS to a server without it", async () => {
    const url = server.url.replace("redis:", "rediss:");
    await refuses(opening({ url, patience: 1_000 }), {
      message: /TLS/,
      retryable: expect.anything() as never,
    });
  });

  it("another protocol", async () => {
    const web = createServer((_, response) => response.end("hello"));
    await new Promise<void>((resolve) => web.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void web.close());
    const { port } = web.address() as { port: number };
    await refuses(opening({ url: `redis://127.0.0.1:${port}` }), { message: /protocol/, retryable: false });
    const chatty = await urlOf((socket) => socket.write("220 mail.example ESMTP\r\n"));
    await refuses(opening({ url: chatty }), { message: /protocol/, retryable: false });
    const binary = await urlOf((socket) =>
      socket.on("data", () => socket.write(Buffer.from([21, 3, 3, 0, 2, 2, 10]))),
    );
    await refuses(opening({ url: binary }), { message: /protocol/, retryable: false });
    const closing = await urlOf((socket) => socket.end());
    await refuses(opening({ url: closing }), {
      message: /(closes the connection|cannot be reached)\. Check host/,
      retryable: true,
    });
  });

  it("a database number that there is not, and writes nothing into another", async () => {
    const namespace = newNamespace();
    const message = /does not have this database number/;
    await refuses(opening({ url: `${server.url}/99`, namespace }), { message, retryable: false });
    await refuses(opening({ url: server.url, connection: { db: 99 }, namespace }), {
      message,
      retryable: false,
    });
    const client = new Redis(`${server.url}/99`);
    client.on("error", () => {});
    onTestFinished(() => client.disconnect());
    await client.ping().catch(() => {});
    await refuses(opening({ client, namespace }), { message, retryable: false });
    expect(await keysWith(namespace, connectTo(server.url))).toEqual([]);
    const world = await openWorld({ url: `${server.url}/3`, namespace });
    await world.createRuns([newRun("run-1")], NOW);
    expect(await keysWith(namespace, connectTo(`${server.url}/3`))).not.toEqual([]);
  });

  it("a user who may not select the database any more, without going on in another one", async () => {
    const admin = connectTo(server.url);
    const acl = (...rules: string[]) => admin.call("ACL", "SETUSER", "moved", ...rules);
    await acl("on", ">word", "~*", "&*", "+@all");
    const namespace = newNamespace();
    const url = `${server.url.replace("redis://", "redis://moved:word@")}/3`;
    const world = await openWorld({ url, namespace });
    // A store of the same name is in database 0.
    await openWorld({ url: server.url, namespace });
    await acl("-select");
    await admin.call("CLIENT", "KILL", "USER", "moved");
    const starting = world.createRuns([newRun("run-1")], NOW).catch(() => {});
    await vi.waitUntil(async () => JSON.stringify(await admin.call("ACL", "LOG")).includes("moved"), 10_000);
    await acl("+select");
    await starting;
    await vi.waitUntil(
      () =>
        world.createRuns([newRun("run-1")], NOW).then(
          () => true,
          () => false,
        ),
      10_000,
    );
    const runs = await keysWith(namespace, connectTo(`${server.url}/3`));
    expect(runs.some((key) => key.includes("run-1"))).toBe(true);
    const elsewhere = await keysWith(namespace, admin);
    expect(elsewhere.filter((key) => key.includes("run-1"))).toEqual([]);
  });

  it("a user without the rights", async () => {
    await connectTo(server.url).call("ACL", "SETUSER", "poor", "on", ">word", "~*", "&*", "+info", "+ping");
    const url = server.url.replace("redis://", "redis://poor:word@");
    await refuses(opening({ url }), { message: /does not permit this user/, retryable: false });
    const deaf = ["SETUSER", "deaf", "on", ">word", "~*", "resetchannels", "+@all"];
    await connectTo(server.url).call("ACL", ...deaf);
    const refused = { message: /does not permit this user what is needed: .*PUBLISH/, retryable: false };
    await refuses(opening({ url: url.replace("poor", "deaf"), namespace: newNamespace() }), refused);
    // One who may call scripts, which then may not write.
    await connectTo(server.url).call("ACL", "SETUSER", "poor", "+@all", "-@write");
    await refuses(opening({ url }), { message: /does not permit this user/, retryable: false });
  });

  it("a Cluster of which nothing is there", async () => {
    await refuses(opening({ cluster: ["redis://127.0.0.1:1"] }), {
      message: /cannot be reached/,
      retryable: true,
    });
    await refuses(opening({ cluster: [locked.url] }), { message: /password/, retryable: false });
    await refuses(opening({ cluster: [server.url] }), { message: /is no Cluster/, retryable: false });
    const nodes = [{ host: "127.0.0.1", port: server.port }];
    await refuses(opening({ sentinel: { name: "main", nodes }, patience: 500 }), {
      message: /is no Sentinel/,
      retryable: false,
    });
    await refuses(
      opening({ sentinel: { name: "main", nodes: [{ host: "127.0.0.1", port: 1 }] }, patience: 500 }),
      {
        message: /cannot be reached/,
        retryable: true,
      },
    );
  });

  it.each([
    "127.0.0.1:6379",
    "http://user:hidden@host",
    "redis://user:hid/den@host",
    "redis://host/first",
    "redis://host/-1",
    "redis://host/1/2",
  ])("the URL %j", (url) => {
    const error = (() => {
      try {
        redisWorld({ url });
      } catch (reason) {
        return reason;
      }
    })();
    expect(error).toBeInstanceOf(TypeError);
    expect(String(error)).toContain("url");
    expect(String(error)).not.toContain("hidden");
  });
});

describe("what the server will never take", () => {
  async function tooLarge(world: World): Promise<void> {
    await world.createRuns([newRun("run-1", { lease: LEASE })], NOW);
    const commit = hold("run-1", 1, [
      { ...event("step_completed", "step-1"), data: new Uint8Array(1_100_000) },
    ]);
    await refuses(world.commit([commit], NOW), { message: /so large a value/, retryable: false });
    expect(await world.commit([hold("run-1", 1, [event("step_failed", "step-1")])], NOW)).toMatchObject([
      { outcome: "committed" },
    ]);
  }

  it("is refused for good, and others go on", async () => {
    await using own = await startRedis({ settings: { appendonly: "no" } });
    const world = await openWorld({ url: own.url });
    // Set later than the World looked.
    await connectTo(own.url).config("SET", "proto-max-bulk-len", "1mb");
    await tooLarge(world);
    expect((await openWorld({ url: own.url })).capabilities.largestValue).toBeLessThan(1_000_000);
  });

  it("a value of the largest size can be read back", async () => {
    await using own = await startRedis({ settings: { appendonly: "no", "proto-max-bulk-len": "8mb" } });
    const world = await openWorld({ url: own.url });
    const { largestValue = 0, largestBatch = 0 } = world.capabilities;
    expect(largestValue).toBeGreaterThan(7_900_000);
    expect(largestBatch).toBe(16 * 1_024 * 1_024);
    const data = new Uint8Array(largestValue).fill(7);
    const id = "é".repeat(255);
    await world.createRuns(
      [newRun("run-1", { lease: LEASE, events: [{ ...event("run_created"), data }] })],
      NOW,
    );
    const written = { ...event("step_completed", id, id), data };
    await world.commit([{ ...hold("run-1", 1, [written]), run: { output: data, error: data } }], NOW);
    const journal = await world.listEvents("run-1", 0, 10);
    expect(journal.map((one) => one.data?.length)).toEqual([largestValue, largestValue]);
    const [row] = await world.getRuns(["run-1"]);
    expect([row?.output?.length, row?.error?.length, row?.bytes]).toEqual([
      largestValue,
      largestValue,
      2 * largestValue,
    ]);
  });
});

describe("a client of the user's", () => {
  const shapes = [
    { enableAutoPipelining: true },
    { keyPrefix: "mine:" },
    { keyPrefix: "mine:", enableAutoPipelining: true },
    { protocol: 2 },
    { showFriendlyErrorStack: true },
    { commandTimeout: 5_000 },
    { enableReadyCheck: false },
    { lazyConnect: true },
    { enableOfflineQueue: false },
    { autoResendUnfulfilledCommands: false },
  ] as const;

  it.each(shapes)("with %o works", async (options) => {
    const client = new Redis(server.url, options);
    client.on("error", () => {});
    onTestFinished(() => client.disconnect());
    const namespace = newNamespace();
    const world = await openWorld({ client, namespace, partitions: 2 });
    await world.createRuns([newRun("run-1", { lease: LEASE, names: [firstClaim("order-1")] })], NOW);
    const commits = [hold("run-1", 1, [taking("hook-1", "token-1")])];
    expect(await world.commit(commits, NOW)).toMatchObject([{ outcome: "committed", mailSeq: 0 }]);
    expect(await world.listEvents("run-1", 0, 10)).toHaveLength(2);
    const keys = await keysWith(namespace, connectTo(server.url));
    const { keyPrefix = "" } = options as { keyPrefix?: string };
    expect(keys.every((name) => name.startsWith(`${keyPrefix}perdure{`))).toBe(true);
  });

  it.each([{ stringNumbers: true }, { stringNumbers: true, protocol: 2 as const }])(
    "with %o is refused by the option's name",
    async (options) => {
      const client = new Redis(server.url, options);
      onTestFinished(() => client.disconnect());
      const world = redisWorld({ client, namespace: newNamespace() });
      await expect(world.open()).rejects.toThrow(/`stringNumbers`/);
      await expect(opening({ url: server.url, connection: options })).rejects.toThrow(/`stringNumbers`/);
      expect(await client.ping()).toBe("PONG");
    },
  );

  it("with options that leave answers alone works, of a Cluster too", async () => {
    await using cluster = await startRedisCluster({ settings: { appendonly: "no" } });
    const nodes = cluster.nodes.map(({ host, port }) => ({ host, port }));
    const client = new Cluster(nodes, {
      enableAutoPipelining: true,
      keyPrefix: "mine:",
    });
    client.on("error", () => {});
    onTestFinished(() => client.disconnect());
    const world = await openWorld({ client, namespace: newNamespace(), partitions: 4 });
    await world.createRuns([newRun("run-1", { lease: LEASE })], NOW);
    expect(await world.getRuns(["run-1"])).toMatchObject([{ epoch: 1 }]);
    const numbers = new Cluster(nodes, { redisOptions: { stringNumbers: true } });
    numbers.on("error", () => {});
    onTestFinished(() => numbers.disconnect());
    await expect(opening({ client: numbers })).rejects.toThrow(/`stringNumbers`/);
  });
});
